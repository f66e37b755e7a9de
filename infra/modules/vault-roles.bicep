// Who may do what with secrets. Patrol's own roles are custom: no built-in one lets it write without reading.
// Assignments name a role by its id below the subscription, the form that Azure itself gives out for every role.

@description('The vault that consumers read.')
param patVaultName string

@description('The vault with the technical users\' credentials.')
param credentialVaultName string

@description('Object id of Patrol\'s identity.')
param patrolPrincipalId string

@description('Object id of the group of operators; empty for none.')
param operatorGroupId string

@description('Object ids of the consumers\' identities.')
param consumerPrincipalIds string[]

var groupId = resourceGroup().id
var roles = {
  keyVaultReader: '21090545-7ca7-4776-b22c-e363652d74d2'
  keyVaultSecretsOfficer: 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'
  keyVaultSecretsUser: '4633458b-17de-408a-b874-0445c86b69e6'
}

resource patVault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: patVaultName
}

resource credentialVault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: credentialVaultName
}

resource patWriter 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(groupId, 'Patrol PAT writer')
  properties: {
    roleName: 'Patrol PAT writer (${resourceGroup().name})'
    description: 'Lists secrets, stores new versions and changes their attributes. Reads no value and deletes nothing.'
    type: 'CustomRole'
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: [
          'Microsoft.KeyVault/vaults/secrets/readMetadata/action'
          'Microsoft.KeyVault/vaults/secrets/setSecret/action'
          'Microsoft.KeyVault/vaults/secrets/update/action'
        ]
        notDataActions: []
      }
    ]
    assignableScopes: [groupId]
  }
}

// setSecret is for {account}-token-cache alone: every run stores the stored sign-in that it has renewed. Without an
// account with sign_in: refresh_token it can go.
resource credentialReader 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(groupId, 'Patrol credential reader')
  properties: {
    roleName: 'Patrol credential reader (${resourceGroup().name})'
    description: 'Reads the technical users\' credentials and stores renewed sign-ins. Lists nothing and deletes nothing.'
    type: 'CustomRole'
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: [
          'Microsoft.KeyVault/vaults/secrets/getSecret/action'
          'Microsoft.KeyVault/vaults/secrets/setSecret/action'
        ]
        notDataActions: []
      }
    ]
    assignableScopes: [groupId]
  }
}

resource patrolWritesPats 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(patVault.id, patrolPrincipalId, patWriter.name)
  scope: patVault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', patWriter.name)
    principalId: patrolPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource patrolReadsCredentials 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(credentialVault.id, patrolPrincipalId, credentialReader.name)
  scope: credentialVault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', credentialReader.name)
    principalId: patrolPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource consumersReadPats 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for consumer in consumerPrincipalIds: {
  name: guid(patVault.id, consumer, roles.keyVaultSecretsUser)
  scope: patVault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsUser)
    principalId: consumer
    principalType: 'ServicePrincipal'
  }
}]

resource operatorsWriteCredentials 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorGroupId)) {
  name: guid(credentialVault.id, operatorGroupId, roles.keyVaultSecretsOfficer)
  scope: credentialVault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsOfficer)
    principalId: operatorGroupId
    principalType: 'Group'
  }
}

resource operatorsSeePats 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorGroupId)) {
  name: guid(patVault.id, operatorGroupId, roles.keyVaultReader)
  scope: patVault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultReader)
    principalId: operatorGroupId
    principalType: 'Group'
  }
}
