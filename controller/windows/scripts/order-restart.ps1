# The update agent's commit and the restart: the point of no return. A task does both; what was committed before is only restarted again.
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][ValidatePattern('\A[a-z0-9-]{1,63}\z', Options = 'None')][string]$EntryCluster,
    [Parameter(Mandatory = $true)][ValidateRange(0L, 4294967295L)][long]$EpochNumber,
    [Parameter(Mandatory = $true)][ValidatePattern('\A[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?\z', Options = 'None')][string]$EpochNonce,
    [Parameter(Mandatory = $true)][ValidateRange(0L, 4294967295L)][long]$Seq,
    [Parameter(Mandatory = $true)][ValidatePattern('\A[A-Z0-9-]{1,15}\z', Options = 'None')][string]$NodeName,
    [Parameter(Mandatory = $true)][ValidatePattern('\A[a-z0-9-]{1,64}\z', Options = 'None')][string]$Machine,
    [Parameter(Mandatory = $true)][ValidatePattern('\A[a-z0-9-]{1,64}\z', Options = 'None')][string]$ClusterId,
    [Parameter(Mandatory = $true)][ValidatePattern('\A[a-z0-9-]{1,64}\z', Options = 'None')][string]$ClusterNode,
    [ValidatePattern('\A[a-z0-9-]{0,64}\z', Options = 'None')][string]$Boot = '',
    [ValidateRange(-1L, 9007199254740991L)][long]$NotAfterMs = -1,
    [Parameter(Mandatory = $true)][ValidatePattern('\A[0-9a-f]{64}\z', Options = 'None')][string]$Digest,
    [ValidatePattern('\A(Any|Absent|[0-9]{1,10}\.[a-z0-9-]{1,64}/[0-9]{1,10})\z', Options = 'None')][string]$ExpectMarker = 'Any',
    [bool]$ExpectOthersUp = $false,
    [ValidatePattern('\A(Any|Settled|OwnDamageOnly)\z', Options = 'None')][string]$ExpectStorage = 'Any',
    [ValidatePattern('\A([0-9]{1,6}\.[0-9]{1,6})?\z', Options = 'None')][string]$ExpectBuild = '',
    [bool]$ExpectQuorum = $false,
    [Parameter(Mandatory = $true)][ValidatePattern('\A2[234]H2( \([0-9]{5}\.[0-9]{1,6} or later\))?\z', Options = 'None')][string]$Target,
    [Parameter(Mandatory = $true)][ValidateRange(0, 255)][int]$Attempt,
    [Parameter(Mandatory = $true)][string]$TaskSource,
    [Parameter(Mandatory = $true)][string[]]$TaskLibraries
)
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$named = @{} + $PSBoundParameters
foreach ($name in 'TaskSource', 'TaskLibraries') { $named.Remove($name) }
Invoke-Order (New-Order -Step 'Restart' @named) {
    param($Order, $Memory)
    Set-ConsumedPhase $Order.place 'Started'
    Save-Memory
    $vacate = $null
    if ($null -ne $Memory.marker) { $vacate = $Memory.marker.vacate }
    $boot = Get-BootId
    $up = Get-UpMs
    # What was expected goes along: it is asked again before the commit and before the restart.
    $values = [ordered]@{
        kind = 'restart'; place = $Order.place; target = $Order.target; attempt = $Order.attempt; vacate = $vacate; boot = $boot
        name = $Order.name; expect = $Order.expect; deadlineUp = $up + (Get-CommitLimitMs)
    }
    $state = [ordered]@{ state = 'Accepted'; boot = $boot; up = $up; pid = 0; start = 0L; code = 0L; doing = 'starting' }
    try { Clear-OldWork; Start-Work 'restart' $Order.place $TaskSource $TaskLibraries $values $state } catch {
        $why = Get-PlatformWords $_
        Remove-Work $Order.place
        Set-ConsumedPhase $Order.place 'PlatformRefused'
        Save-Memory
        return New-Receipt 'PlatformRefused' $null $why $null
    }
    New-Receipt 'Started' $null $null $null
}
