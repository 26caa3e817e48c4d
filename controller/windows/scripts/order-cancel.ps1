# A Cancel: the worker stops before its next phase, and what it staged without a commit is taken away. Holds as a fence does.
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][ValidatePattern('\A[a-z0-9-]{1,63}\z')][string]$EntryCluster,
    [Parameter(Mandatory = $true)][ValidateRange(0L, 4294967295L)][long]$EpochNumber,
    [Parameter(Mandatory = $true)][ValidatePattern('\A[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?\z')][string]$EpochNonce,
    [Parameter(Mandatory = $true)][ValidateRange(0L, 4294967295L)][long]$Seq,
    [Parameter(Mandatory = $true)][ValidatePattern('\A[A-Z0-9-]{1,15}\z')][string]$NodeName,
    [Parameter(Mandatory = $true)][ValidatePattern('\A[a-z0-9-]{1,64}\z')][string]$Machine,
    [Parameter(Mandatory = $true)][ValidatePattern('\A[a-z0-9-]{1,64}\z')][string]$ClusterId,
    [Parameter(Mandatory = $true)][ValidatePattern('\A[a-z0-9-]{1,64}\z')][string]$ClusterNode,
    [ValidatePattern('\A[a-z0-9-]{0,64}\z')][string]$Boot = '',
    [ValidateRange(-1L, 9007199254740991L)][long]$NotAfterMs = -1,
    [Parameter(Mandatory = $true)][ValidatePattern('\A[0-9a-f]{64}\z')][string]$Digest,
    [ValidatePattern('\A(Any|Absent|[0-9]{1,10}\.[a-z0-9-]{1,64}/[0-9]{1,10})\z')][string]$ExpectMarker = 'Any',
    [bool]$ExpectOthersUp = $false,
    [ValidateSet('Any', 'Settled', 'OwnDamageOnly')][string]$ExpectStorage = 'Any',
    [ValidatePattern('\A([0-9]{1,6}\.[0-9]{1,6})?\z')][string]$ExpectBuild = '',
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
