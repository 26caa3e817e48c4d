# A fence: from now on nothing older than its entry is performed here. Holds in every boot, at any time, and under a stop mark.
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
    [ValidatePattern('\A([0-9]{1,10}\.[a-z0-9-]{1,64}/[0-9]{1,10})?\z', Options = 'None')][string]$Marker = '',
    [ValidatePattern('\A(Suspending|Suspended)?\z', Options = 'None')][string]$MarkerState = ''
)
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$named = @{} + $PSBoundParameters
foreach ($name in 'Marker', 'MarkerState') { $named.Remove($name) }
Invoke-Order (New-Order -Step 'Fence' @named) -First {
    param($Order, $Memory)
    # A memory that has heard of the Vacate, or of anything later, and has no marker, lost it to a person or to a Return. So the marker is there before the
    # fence: between the two the node may go down.
    if ($Marker -cne '' -and $MarkerState -cne '') {
        $lost = $null -eq $Memory.fence -or ($null -eq $Memory.marker -and (Compare-Place $Memory.fence $Marker) -ceq 'Less')
        if ($lost) { Set-Marker $Marker $MarkerState }
    }
} -Do {
    param($Order, $Memory)
    Save-Memory
    New-Receipt 'Applied' $null $null $null
}
