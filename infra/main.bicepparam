// Values of one deployment. azd sets the AZURE_ variables; a pipeline sets them itself. main.bicep describes each parameter.
using './main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'patrol')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param rotateEvery = '1h'
param networkAccess = 'public'
param callerClientId = readEnvironmentVariable('PATROL_CALLER_CLIENT_ID', '')
param operatorGroupId = readEnvironmentVariable('PATROL_OPERATOR_GROUP_ID', '')
param alertEmail = readEnvironmentVariable('PATROL_ALERT_EMAIL', '')
param alertWebhook = readEnvironmentVariable('PATROL_ALERT_WEBHOOK', '')
