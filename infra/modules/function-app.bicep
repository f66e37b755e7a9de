// The app: Flex Consumption, Python 3.13, reached over HTTPS alone, deployed through Entra alone.

@description('Name of the app, unique in the world.')
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Resource id of the user-assigned identity.')
param identityId string

@description('Client id of the user-assigned identity.')
param identityClientId string

@description('Blob endpoint of the host\'s storage.')
param blobEndpoint string

@description('URL of the container that holds the package.')
param deploymentContainer string

@description('Where telemetry goes; it holds no secret that would be accepted, since local authentication is off.')
param applicationInsightsConnectionString string

@description('Subnet for outgoing calls; empty for none.')
param subnetId string

@description('Memory of one instance.')
param instanceMemoryMB int

@description('The vault that receives the PATs.')
param patVaultUrl string

@description('The vault with the technical users\' credentials.')
param credentialVaultUrl string

@description('Path of the manifest in the package.')
param manifest string

@description('How often Patrol runs.')
@allowed(['30m', '1h', '2h', '3h', '12h', '1d'])
param rotateEvery string

@description('Client id of the app registration that callers ask tokens for; empty for function keys alone.')
param callerClientId string

@description('Token audiences that are accepted; empty for the app registration itself.')
param callerAudiences string[]

var schedules = {
  '30m': '0 */30 * * * *'
  '1h': '0 0 * * * *'
  '2h': '0 0 */2 * * *'
  '3h': '0 0 */3 * * *'
  '12h': '0 0 */12 * * *'
  '1d': '0 0 4 * * *'
}
var withEntra = !empty(callerClientId)

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: 'plan-${name}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: name
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: deploymentContainer
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: 40
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
      remoteDebuggingEnabled: false
      cors: {
        allowedOrigins: []
        supportCredentials: false
      }
    }
  }
}

resource ftpPublishing 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource scmPublishing 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

// Always deployed, so that clearing callerClientId turns it off again. /api/health answers without a token.
resource authentication 'Microsoft.Web/sites/config@2024-11-01' = {
  parent: app
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: withEntra
    }
    globalValidation: {
      requireAuthentication: withEntra
      unauthenticatedClientAction: 'Return401'
      excludedPaths: ['/api/health']
    }
    httpSettings: {
      requireHttps: true
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: withEntra
        registration: {
          clientId: callerClientId
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
        }
        validation: {
          allowedAudiences: empty(callerAudiences) ? [callerClientId, 'api://${callerClientId}'] : callerAudiences
        }
      }
    }
    login: {
      tokenStore: {
        enabled: false
      }
    }
  }
}

// Names and URLs, no secret. A resource of its own that waits for the authentication: with HTTP_AUTHORIZATION=entra the
// app believes the platform's principal header, which anybody could send while the platform does not strip it.
resource settings 'Microsoft.Web/sites/config@2024-11-01' = {
  parent: app
  name: 'appsettings'
  properties: {
    PAT_VAULT_URL: patVaultUrl
    CREDENTIAL_VAULT_URL: credentialVaultUrl
    PAT_MANIFEST: manifest
    ROTATION_SCHEDULE: schedules[rotateEvery]
    HTTP_AUTHORIZATION: withEntra ? 'entra' : 'keys'
    AZURE_CLIENT_ID: identityClientId
    AZURE_AUTHORITY_HOST: environment().authentication.loginEndpoint
    AzureWebJobsStorage__blobServiceUri: blobEndpoint
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identityClientId
    APPLICATIONINSIGHTS_CONNECTION_STRING: applicationInsightsConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  }
  dependsOn: [authentication]
}

output name string = app.name
output url string = 'https://${app.properties.defaultHostName}'
