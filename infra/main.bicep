// Everything Patrol needs in Azure, in one resource group of its own. What is created and why: README.md beside this file.
targetScope = 'subscription'

@description('Name of this deployment, such as patrol-prod. azd passes its environment name. Part of the resource names.')
@minLength(1)
@maxLength(32)
param environmentName string

@description('Azure region. It must offer Flex Consumption.')
param location string

@description('The resource group that is created and receives everything.')
param resourceGroupName string = 'rg-${environmentName}'

@description('How often Patrol compares and rotates. The schedule, and the window of the alerts (two periods), follow from it.')
@allowed(['30m', '1h', '2h', '3h', '12h', '1d'])
param rotateEvery string = '1h'

@description('Path of the manifest in the package, relative to the app.')
param manifest string = 'pats.yaml'

@description('Memory of one instance. The smallest suffices for some thousand PATs.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 512

@description('private: a virtual network, with private endpoints for storage and both vaults, whose public access is off.')
@allowed(['public', 'private'])
param networkAccess string = 'public'

@description('Address space of the virtual network, /24 or larger. Used with networkAccess private alone.')
param addressSpace string = '10.75.0.0/24'

@description('Client id of an Entra app registration with the roles of app-roles.json. Set: callers of the HTTP functions need one of them beside the function key. Empty: the key alone.')
param callerClientId string = ''

@description('Token audiences that are accepted. Empty: the app registration itself.')
param callerAudiences string[] = []

@description('Object id of the group of operators: may write credentials, and read the metadata of PATs. Empty: assign roles by other means.')
param operatorGroupId string = ''

@description('Object ids of the managed identities or service principals that may read the PATs. Empty: assign roles by other means.')
param consumerPrincipalIds string[] = []

@description('Object ids beside Patrol\'s own that may read the credential vault without an alert.')
param expectedCredentialReaders string[] = []

@description('Who gets the alerts by e-mail. Empty: nobody.')
param alertEmail string = ''

@description('Webhook that gets the alerts in the common alert schema. Empty: none. Treated as a secret, since such URLs often carry one.')
@secure()
param alertWebhook string = ''

@description('Days for which logs, and with them the vaults\' audit records, are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Tags of every resource.')
param tags object = {}

// Storage account and vault names are unique in the world, so the rest of theirs is a hash.
var token = toLower(uniqueString(subscription().id, resourceGroupName, location))
var allTags = union(tags, { 'azd-env-name': environmentName })
var isPrivate = networkAccess == 'private'

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: resourceGroupName
  location: location
  tags: allTags
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: 'id-${environmentName}'
    location: location
    tags: allTags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    name: environmentName
    location: location
    tags: allTags
    retentionDays: logRetentionDays
    publisherPrincipalId: identity.outputs.principalId
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'st${token}'
    location: location
    tags: allTags
    isPrivate: isPrivate
    ownerPrincipalId: identity.outputs.principalId
  }
}

module patVault 'modules/vault.bicep' = {
  name: 'pat-vault'
  scope: group
  params: {
    name: 'kv-pats-${token}'
    location: location
    tags: allTags
    isPrivate: isPrivate
    workspaceId: monitoring.outputs.workspaceId
  }
}

module credentialVault 'modules/vault.bicep' = {
  name: 'credential-vault'
  scope: group
  params: {
    name: 'kv-creds-${token}'
    location: location
    tags: allTags
    isPrivate: isPrivate
    workspaceId: monitoring.outputs.workspaceId
  }
}

module vaultRoles 'modules/vault-roles.bicep' = {
  name: 'vault-roles'
  scope: group
  params: {
    patVaultName: patVault.outputs.name
    credentialVaultName: credentialVault.outputs.name
    patrolPrincipalId: identity.outputs.principalId
    operatorGroupId: operatorGroupId
    consumerPrincipalIds: consumerPrincipalIds
  }
}

module network 'modules/network.bicep' = if (isPrivate) {
  name: 'network'
  scope: group
  params: {
    name: environmentName
    location: location
    tags: allTags
    addressSpace: addressSpace
    storageId: storage.outputs.id
    vaultIds: [patVault.outputs.id, credentialVault.outputs.id]
  }
}

module functionApp 'modules/function-app.bicep' = {
  name: 'function-app'
  scope: group
  params: {
    name: 'func-${environmentName}-${token}'
    location: location
    tags: union(allTags, { 'azd-service-name': 'patrol' })
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    blobEndpoint: storage.outputs.blobEndpoint
    deploymentContainer: storage.outputs.deploymentContainer
    applicationInsightsConnectionString: monitoring.outputs.connectionString
    subnetId: network.?outputs.appSubnetId ?? ''
    instanceMemoryMB: instanceMemoryMB
    patVaultUrl: patVault.outputs.url
    credentialVaultUrl: credentialVault.outputs.url
    manifest: manifest
    rotateEvery: rotateEvery
    callerClientId: callerClientId
    callerAudiences: callerAudiences
  }
  dependsOn: [vaultRoles]
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    name: environmentName
    location: location
    tags: allTags
    workspaceId: monitoring.outputs.workspaceId
    credentialVaultId: credentialVault.outputs.id
    expectedReaders: concat([identity.outputs.principalId], expectedCredentialReaders)
    rotateEvery: rotateEvery
    email: alertEmail
    webhook: alertWebhook
  }
}

output RESOURCE_GROUP string = group.name
output FUNCTION_APP_NAME string = functionApp.outputs.name
output FUNCTION_APP_URL string = functionApp.outputs.url
output PAT_VAULT_URL string = patVault.outputs.url
output CREDENTIAL_VAULT_URL string = credentialVault.outputs.url
@description('Subject of a federated credential, for accounts with client_credential: managed_identity.')
output IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId
