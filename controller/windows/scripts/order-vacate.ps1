# Pauses this node and begins to drain it: from here on it is out.
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
    [Parameter(Mandatory = $true)][ValidateRange(0, 255)][int]$Attempt
)
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

Invoke-Order (New-Order -Step 'Vacate' @PSBoundParameters) {
    param($Order, $Memory)
    $before = $Memory.marker
    $name = Get-NodeName
    $was = Get-MemberState (Get-ClusterNode -Name $name)
    Set-Marker $Order.place 'Suspending'
    Save-Memory
    try { [void]@(Suspend-ClusterNode -Name $name -Drain) } catch {
        $why = Get-PlatformWords $_
        # An error may come after the pause. Where that cannot be told, the marker stays as it is and the error goes out.
        $is = Get-MemberState (Get-ClusterNode -Name $name)
        if (-not ($was -cne 'Paused' -and $is -ceq 'Paused')) {
            if ($null -eq $before) { Set-Marker $null '' } else { Set-Marker $before.vacate $before.state }
            Set-ConsumedPhase $Order.place 'PlatformRefused'
            Save-Memory
            return New-Receipt 'PlatformRefused' $null $why $null
        }
    }
    Set-ConsumedPhase $Order.place 'Started'
    Set-Marker $Order.place 'Suspended'
    Save-Memory
    New-Receipt 'Started' $null $null $null
}
