# A Cancel: the worker stops before its next phase, and what it staged without a commit is taken away. Holds as a fence does.
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
    [bool]$ExpectQuorum = $false
)
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

Invoke-Order (New-Order -Step 'Cancel' @PSBoundParameters) {
    param($Order, $Memory)
    $place = Get-NewerPlace $Memory.cancelled $Order.place
    Set-Cancelled $place
    Save-Memory
    # A worker that is at work stops by itself. The Cancel is heard, whatever becomes of the cleaning: a Return cleans again.
    $detail = $null
    try {
        $worker = Get-Worker
        if ($null -ne $worker -and (Compare-Place $place $worker.place) -ceq 'Greater') { Clear-Staged $Memory }
    } catch { $detail = "not taken away: $(Get-PlatformWords $_)" }
    New-Receipt 'Applied' $null $detail $null
}
