// What wakes a person. Each query stands in ../alerts and names Patrol's events as the code does; a test ties the two.
// A rule fires when its query finds a row, and ends by itself when it finds none any more.

@description('Name of the deployment.')
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('The Log Analytics workspace that is asked.')
param workspaceId string

@description('Resource id of the credential vault.')
param credentialVaultId string

@description('Object ids that may read the credential vault.')
param expectedReaders string[]

@description('How often Patrol runs.')
@allowed(['30m', '1h', '2h', '3h', '12h', '1d'])
param rotateEvery string

@description('Who gets the alerts by e-mail; empty for nobody.')
param email string

@description('Webhook that gets the alerts; empty for none.')
@secure()
param webhook string

// Two periods each, so that an alert about a failure lasts until a run has gone well.
var twoPeriods = {
  '30m': 'PT1H'
  '1h': 'PT2H'
  '2h': 'PT4H'
  '3h': 'PT6H'
  '12h': 'P1D'
  '1d': 'P2D'
}
var window = twoPeriods[rotateEvery]
var rules = [
  {
    name: 'run-failed'
    description: 'A run ended failed. It did all it could; the events before run.failed say what went wrong.'
    query: loadTextContent('../alerts/run-failed.kql')
    severity: 2
  }
  {
    name: 'no-successful-run'
    description: 'No run has ended well for two periods: the app is down, disabled, or every run fails.'
    query: loadTextContent('../alerts/no-successful-run.kql')
    severity: 1
  }
  {
    name: 'pat-expiring'
    description: 'A PAT is overdue, expired or unreadable: its rotation has been failing for a while.'
    query: loadTextContent('../alerts/pat-expiring.kql')
    severity: 1
  }
  {
    name: 'sign-in-dying'
    description: 'A stored sign-in has not been renewed for a month, or could not be stored. Sign in again before it ends.'
    query: loadTextContent('../alerts/sign-in-dying.kql')
    severity: 2
  }
  {
    name: 'revocations-refused'
    description: 'More orphans at once than is plausible, or an empty vault. Nothing was revoked; a person decides.'
    query: loadTextContent('../alerts/revocations-refused.kql')
    severity: 1
  }
  {
    name: 'unexpected-credential-reader'
    description: 'Somebody other than Patrol read a secret of the credential vault.'
    query: replace(
      replace(loadTextContent('../alerts/unexpected-credential-reader.kql'), '{credentialVaultId}', credentialVaultId),
      '{expectedReaders}',
      join(expectedReaders, '", "')
    )
    severity: 0
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${name}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'patrol'
    enabled: true
    emailReceivers: empty(email) ? [] : [
      {
        name: 'operators'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
    webhookReceivers: empty(webhook) ? [] : [
      {
        name: 'webhook'
        serviceUri: webhook
        useCommonAlertSchema: true
      }
    ]
  }
}

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in rules: {
  name: '${name}-${rule.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Patrol: ${rule.name}'
    description: rule.description
    severity: rule.severity
    enabled: true
    scopes: [workspaceId]
    evaluationFrequency: 'PT15M'
    windowSize: window
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: true
    // A fresh workspace has no record yet, and so no table to check a query against.
    skipQueryValidation: true
    actions: {
      actionGroups: [people.id]
    }
  }
}]
