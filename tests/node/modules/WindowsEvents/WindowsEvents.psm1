# Stub of Get-WinEvent of Microsoft.PowerShell.Diagnostics, which exists on Windows only. Parameters are those of 5.1.

Set-StrictMode -Version 2.0

function Get-WinEvent {
    [CmdletBinding(PositionalBinding = $false, DefaultParameterSetName = 's0')]
    param(
        [Parameter(Position = 0, ParameterSetName = 's0')][string[]]$LogName,
        [Parameter(ParameterSetName = 's0')][Parameter(ParameterSetName = 's3')][Parameter(ParameterSetName = 's4')][Parameter(ParameterSetName = 's5')][Parameter(ParameterSetName = 's6')][long]$MaxEvents,
        [Parameter(ParameterSetName = 's0')][Parameter(ParameterSetName = 's1')][Parameter(ParameterSetName = 's2')][Parameter(ParameterSetName = 's3')][Parameter(ParameterSetName = 's5')][Parameter(ParameterSetName = 's6')][string]$ComputerName,
        [pscredential]$Credential,
        [Parameter(ParameterSetName = 's0')][Parameter(ParameterSetName = 's3')][Parameter(ParameterSetName = 's4')][string]$FilterXPath,
        [Parameter(ParameterSetName = 's0')][Parameter(ParameterSetName = 's1')][Parameter(ParameterSetName = 's3')][Parameter(ParameterSetName = 's5')][switch]$Force,
        [Parameter(ParameterSetName = 's0')][Parameter(ParameterSetName = 's3')][Parameter(ParameterSetName = 's4')][Parameter(ParameterSetName = 's5')][Parameter(ParameterSetName = 's6')][switch]$Oldest,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 's1')][string[]]$ListLog,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 's2')][string[]]$ListProvider,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 's3')][string[]]$ProviderName,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 's4')][string[]]$Path,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 's5')][hashtable[]]$FilterHashtable,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 's6')][xml]$FilterXml)
    process {
        Assert-StubHere $PSBoundParameters
        $events = @((Invoke-Platform 'events' @{} $PSCmdlet) | Where-Object { $null -ne $_ })
        if ($PSBoundParameters.ContainsKey('LogName')) { $events = @($events | Where-Object { Test-StubLike $_.log $LogName }) }
        if ($PSBoundParameters.ContainsKey('FilterHashtable')) {
            foreach ($filter in $FilterHashtable) {
                foreach ($key in $filter.Keys) {
                    $wanted = @($filter[$key])
                    switch ("$key") {
                        'LogName' { $events = @($events | Where-Object { Test-StubLike $_.log $wanted }) }
                        'ProviderName' { $events = @($events | Where-Object { Test-StubLike $_.provider $wanted }) }
                        'Id' { $events = @($events | Where-Object { $_.id -in $wanted }) }
                        'Level' { $events = @($events | Where-Object { $_.level -in $wanted }) }
                        'StartTime' { $events = @($events | Where-Object { (ConvertFrom-StubMs $_.at) -ge [datetime]$wanted[0] }) }
                        default { throw "the stub does not filter events by $key" }
                    }
                }
            }
        }
        # Nothing found is an error.
        if ($events.Count -eq 0) {
            Write-StubError $PSCmdlet 'NoMatchingEventsFound' 'ObjectNotFound' 'No events were found that match the specified selection criteria.' 0
            return
        }
        if ($PSBoundParameters.ContainsKey('MaxEvents')) { $events = @($events | Select-Object -First $MaxEvents) }
        foreach ($one in $events) {
            New-StubObject 'System.Diagnostics.Eventing.Reader.EventLogRecord' ([ordered]@{
                TimeCreated = (ConvertFrom-StubMs $one.at); Id = [int]$one.id; ProviderName = $one.provider; LogName = $one.log; Level = [byte]$one.level; RecordId = 1L
                MachineName = $env:COMPUTERNAME; Message = $one.message; Properties = @()
            })
        }
    }
}

Export-ModuleMember -Function 'Get-WinEvent'
