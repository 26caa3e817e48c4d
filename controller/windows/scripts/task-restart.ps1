# The commit and the restart, detached: the update agent's commit takes minutes. Phases are on the disk before or after each half, so that a crash
# between any two lines is seen: what shows `Committing` or later is never committed again.
[CmdletBinding()]
param([Parameter(Mandatory = $true)][string]$Folder)
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

# An installer that holds what was staged: Commit on an empty one fails with WU_E_NOT_INITIALIZED (Microsoft: IUpdateInstaller4::Commit).
function Get-StagedInstaller($Install) {
    $session = New-UpdateObject 'Session'
    $session.ClientApplicationID = 'Drydock'
    $update = Find-StagedUpdate ($session.CreateUpdateSearcher()) $Install.state.updateId
    $updates = New-UpdateObject 'UpdateColl'
    [void]$updates.Add($update)
    $installer = $session.CreateUpdateInstaller()
    $installer.Updates = $updates
    $installer
}

function Test-Same($Commit, $Values) { $null -ne $Commit -and $Commit.target -ceq $Values.target -and $Commit.attempt -eq $Values.attempt }

# Inside the node's mutex; another order may hold it for a while.
function Invoke-AloneAgain([scriptblock]$Locked) {
    for ($try = 1; $true; $try++) {
        $out = Invoke-Alone (Get-MachineUuid) { & $Locked; [ordered]@{ done = $true } }
        if (@($out)[-1].Contains('done')) { return }
        if ($try -ge 10) { throw (New-Fault DrydockBusy 'the mutex was never free') }
    }
}

# Why the commit must not be begun, or nothing: minutes ago it might. What takes long is read first.
function Get-Hindrance($Work) {
    $values = $Work.values
    $order = @{ step = 'Restart'; name = $values.name; target = $values.target; attempt = $values.attempt; expect = $values.expect }
    $storage = if ($values.expect.storage -cne 'Any') { Read-Storage }
    if ((Get-UpMs) -gt $values.deadlineUp) { return 'TooLate' }
    $refusal = Test-Again $order (Get-Memory) $storage
    if ($null -ne $refusal) { "$($refusal.unmet) $($refusal.detail)".Trim() }
}

$work = Enter-Work $Folder 'Accepted'
if ($null -eq $work) { return }
$place = $work.values.place
$committing = $false
try {
    $installer = $null
    if (-not (Test-Same (Get-Memory).commit $work.values)) {
        $install = Get-InstallWork
        if ($null -eq $install -or -not (Test-Same $install.values $work.values) -or $install.state.state -cne 'Staged') { throw (New-Fault DrydockNotStaged 'nothing is staged') }
        # What setup staged from media needs no commit; the next restart goes on with it.
        if ($install.values.source -ceq 'Media') { if (-not (Test-MediaStaged ([datetime]::MinValue))) { throw (New-Fault DrydockNotStaged 'setup left nothing') } }
        else { $installer = Get-StagedInstaller $install }
    }
    $stopped = @{ why = $null; hindered = $null; again = $false }
    Invoke-AloneAgain {
        $stopped.why = Find-StopReason $work
        if ($null -ne $stopped.why) { return }
        $stopped.again = Test-Same (Get-Memory).commit $work.values
        if ($stopped.again) { return }
        $stopped.hindered = Get-Hindrance $work
        if ($null -ne $stopped.hindered) {
            Set-ConsumedPhase $place 'PlatformRefused'
            Save-Memory
            return
        }
        Set-Commit $work.values.attempt 'Committing' (Get-BootId) $work.values.target
        Save-Memory
    }
    if ($null -ne $stopped.why) {
        Set-WorkState $work 'Cancelled' $stopped.why
        return
    }
    if ($null -ne $stopped.hindered) {
        Set-WorkState $work 'Failed' "not committed: $($stopped.hindered)"
        return
    }
    $committing = $true
    if (-not $stopped.again) {
        Set-WorkState $work 'Committing' 'committing'
        $failed = $false
        if ($null -ne $installer) {
            # An error says that the commit failed or that its answer was lost. It is never called again; the restart shows which it was.
            try { Invoke-UpdateCommit $installer } catch { $failed = $true; Set-WorkState $work 'Committing' "committing: $($_.Exception.Message)" (Get-ComCode $_) }
        }
        if (-not $failed) {
            Invoke-AloneAgain { Set-Commit $work.values.attempt 'Committed' (Get-BootId) $work.values.target; Save-Memory }
            Set-WorkState $work 'Committed' 'committed'
        }
    }
    # A commit may take long, and others may have gone down meanwhile. What is committed waits for a restart, now or by a later order.
    $until = (Get-UpMs) + (Get-QuorumWaitMs)
    $last = @{ lost = $null; asked = $false }
    while (-not $last.asked) {
        Invoke-AloneAgain {
            $last.lost = if ($work.values.expect.quorum) { Test-Quorum $work.values.name }
            if ($null -ne $last.lost) { return }
            $boot = (Get-Memory).commit.boot
            Set-Commit $work.values.attempt 'Restarting' $boot $work.values.target
            Save-Memory
            $work.state.up = Get-UpMs
            Set-WorkState $work 'Restarting' 'restarting' ([long]$work.state.code)
            # The restart cuts off whatever stands after it.
            Remove-WorkTask $work
            Invoke-Shutdown 'p:2:3' "Drydock $place"
            $last.asked = $true
        }
        if ($last.asked) { break }
        $lost = "not restarted: $($last.lost.unmet) $($last.lost.detail)".Trim()
        if ((Get-UpMs) -gt $until) {
            Set-WorkState $work 'Failed' $lost
            return
        }
        if ("$($work.state.doing)" -cne $lost) { Set-WorkState $work $work.state.state $lost ([long]$work.state.code) }
        Start-Sleep -Seconds 2
    }
} catch {
    Write-Log $work.folder "$($_.Exception.Message) ($($_.FullyQualifiedErrorId), line $($_.InvocationInfo.ScriptLineNumber))"
    Set-WorkState $work 'Failed' "$($_.Exception.Message)" (Get-ComCode $_)
    # Nothing changed as long as no commit was begun.
    if (-not $committing) { Invoke-AloneAgain { Set-ConsumedPhase $place 'PlatformRefused'; Save-Memory } }
} finally { Remove-WorkTask $work }
