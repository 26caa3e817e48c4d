# Starts the worker that downloads and stages the new release, or takes over the one of this attempt: never a second installation of one attempt.
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
    [Parameter(Mandatory = $true)][ValidatePattern('\A(WindowsUpdate|Media)\z', Options = 'None')][string]$SourceKind,
    # A local path: SYSTEM's task reaches nothing else safely. The alphabet is that of the cluster's file: nothing that could end an argument.
    [ValidatePattern('\A([A-Za-z]:(\\(?!\.{1,2}(\\|\z))[A-Za-z0-9 ._()+-]{1,200}){1,100})?\z', Options = 'None')][string]$MediaPath = '',
    [Parameter(Mandatory = $true)][string]$TaskSource,
    [Parameter(Mandatory = $true)][string[]]$TaskLibraries
)
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$named = @{} + $PSBoundParameters
foreach ($name in 'SourceKind', 'MediaPath', 'TaskSource', 'TaskLibraries') { $named.Remove($name) }
if ($SourceKind -ceq 'Media' -and $MediaPath -ceq '') { throw (New-Fault DrydockNoMediaPath 'media needs -MediaPath') }
Invoke-Order (New-Order -Step 'Install' @named) {
    param($Order, $Memory)
    Set-ConsumedPhase $Order.place 'Started'
    Save-Memory
    $vacate = $null
    if ($null -ne $Memory.marker) { $vacate = $Memory.marker.vacate }
    $work = Get-InstallWork
    if ($null -ne $work -and $work.values.target -ceq $Order.target -and $work.values.attempt -eq $Order.attempt) {
        $work.values.place = $Order.place
        $work.values.vacate = $vacate
        Write-JsonFile (Join-Path $work.folder 'values.json') $work.values
        Write-Log $work.folder "taken over by $($Order.place)"
        return New-Receipt 'Started' $null $null $null
    }
    $boot = Get-BootId
    $up = Get-UpMs
    $values = [ordered]@{
        kind = 'install'; place = $Order.place; target = $Order.target; attempt = $Order.attempt; source = $SourceKind; mediaPath = $MediaPath
        vacate = $vacate; boot = $boot; deadlineUp = $up + (Get-WorkerLimitMs)
    }
    $first = if ($SourceKind -ceq 'Media') { 'Staging' } else { 'Downloading' }
    $state = [ordered]@{ state = $first; percent = 0; code = 0L; doing = 'starting'; boot = $boot; up = $up; pid = 0; start = 0L; updateId = ''; setupBegan = $false; setupPid = 0; setupStart = 0L }
    try { Clear-OldWork; Start-Work 'install' $Order.place $TaskSource $TaskLibraries $values $state } catch {
        $why = Get-PlatformWords $_
        Remove-Work $Order.place
        Set-ConsumedPhase $Order.place 'PlatformRefused'
        Save-Memory
        return New-Receipt 'PlatformRefused' $null $why $null
    }
    New-Receipt 'Started' $null $null $null
}
