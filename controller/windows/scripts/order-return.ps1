# Resumes this node: it is in service again. What was staged and not committed is taken away before, so that no later restart goes on with it.
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
    [Parameter(Mandatory = $true)][ValidatePattern('\A(NoFailback|Immediate|Policy)\z', Options = 'None')][string]$Failback
)
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$named = @{} + $PSBoundParameters
$named.Remove('Failback')
Invoke-Order (New-Order -Step 'Return' @named) {
    param($Order, $Memory)
    Set-ConsumedPhase $Order.place 'Started'
    Save-Memory
    $name = Get-NodeName
    try {
        Clear-Staged $Memory
        # A node that is not paused refuses to be resumed (5058, ERROR_CLUSTER_NODE_NOT_PAUSED); what is neither paused nor Up is not back.
        $state = Get-MemberState (Get-ClusterNode -Name $name)
        if ($state -ceq 'Paused') { [void]@(Resume-ClusterNode -Name $name -Failback $Failback) }
        elseif ($state -cne 'Up') { throw (New-Fault DrydockNotUp "the node is $state") }
    } catch {
        $why = Get-PlatformWords $_
        Set-ConsumedPhase $Order.place 'PlatformRefused'
        Save-Memory
        return New-Receipt 'PlatformRefused' $null $why $null
    }
    Set-Marker $null ''
    Set-ConsumedPhase $Order.place 'Ended'
    Save-Memory
    # Left by a task that the restart cut short; a rest of it harms nothing.
    try { Clear-OldWork } catch { Write-Verbose "left: $($_.Exception.Message)" }
    New-Receipt 'Applied' $null $null $null
}
