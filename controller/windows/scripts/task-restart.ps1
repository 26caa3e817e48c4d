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

# The entry is consumed, and nothing comes of it: the controller reads why. For another entry that was consumed since it says nothing.
function Set-Unmet($Work, [string]$By) {
    Set-ConsumedPhase $Work.values.place "Unmet$By"
    Save-Memory
}

# Why the commit must not be begun now, or nothing: minutes ago it might. What passes is asked again until the order's own deadline; what a person said or
# did is for good. What takes long is read first.
function Get-Hindrance($Work) {
    $why = Find-StopReason $Work
    if ($null -ne $why) { return @{ by = 'Told'; words = $why; last = $true } }
    $values = $Work.values
    $order = @{ step = 'Restart'; name = $values.name; target = $values.target; attempt = $values.attempt; expect = $values.expect }
    $storage = if ($values.expect.storage -cne 'Any') { Read-Storage }
    $refusal = Test-Again $order (Get-Memory) $storage
    $late = (Get-UpMs) -gt $values.deadlineUp
    if ($null -ne $refusal) { return @{ by = $refusal.unmet; words = "$($refusal.unmet) $($refusal.detail)".Trim(); last = $late -or $refusal.unmet -cin 'StopMark', 'Marker' } }
    if ($late) { @{ by = 'TooLate'; words = 'TooLate'; last = $true } }
}

# Why what is committed must not be restarted now, or nothing. A person may have taken the node over, and put it back into service with roles on it.
function Get-RestartHindrance($Values) {
    $marker = (Get-Memory).marker
    $vacate = if ($null -ne $marker) { $marker.vacate }
    if ("$vacate" -cne "$($Values.vacate)") { return @{ by = 'Marker'; words = "marker '$vacate' instead of '$($Values.vacate)'"; last = $true } }
    $seen = Read-View
    if ((Get-OwnState $seen $Values.name) -ceq 'Up') { return @{ by = 'Marker'; words = 'the node is Up'; last = $true } }
    if (-not $Values.expect.quorum) { return }
    $refusal = if ($null -eq $seen.view) { New-Refusal 'NoView' $seen.blind } else { Test-Quorum $Values.name }
    if ($null -ne $refusal) { @{ by = $refusal.unmet; words = "$($refusal.unmet) $($refusal.detail)".Trim(); last = $false } }
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
    $asked = @{ hindered = $null; again = $false }
    while ($true) {
        $began = Get-UpMs
        Invoke-AloneAgain {
            $asked.again = Test-Same (Get-Memory).commit $work.values
            $asked.hindered = $null
            if ($asked.again) { return }
            $asked.hindered = Get-Hindrance $work
            if ($null -eq $asked.hindered) {
                Set-Commit $work.values.attempt 'Committing' (Get-BootId) $work.values.target
                Save-Memory
            } elseif ($asked.hindered.last) { Set-Unmet $work $asked.hindered.by }
        }
        if ($null -eq $asked.hindered) { break }
        if ($asked.hindered.last) {
            Set-WorkState $work $(if ($asked.hindered.by -ceq 'Told') { 'Cancelled' } else { 'Failed' }) "not committed: $($asked.hindered.words)"
            return
        }
        $waits = "not committed yet: $($asked.hindered.words)"
        if ("$($work.state.doing)" -cne $waits) { Set-WorkState $work 'Accepted' $waits }
        # The mutex is free for as long as it was held: reading the storage may take minutes, and a Return must get through.
        Start-Sleep -Milliseconds ([Math]::Max((Get-AskMs), (Get-UpMs) - $began))
    }
    $committing = $true
    if (-not $asked.again) {
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
    $last = @{ hindered = $null; ended = $false; asked = $false }
    while (-not $last.asked) {
        Invoke-AloneAgain {
            $last.hindered = Get-RestartHindrance $work.values
            if ($null -ne $last.hindered) {
                $last.ended = $last.hindered.last -or (Get-UpMs) -gt $until
                if ($last.ended) { Set-Unmet $work $last.hindered.by }
                return
            }
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
        $lost = "not restarted: $($last.hindered.words)"
        if ($last.ended) {
            Set-WorkState $work 'Failed' $lost
            return
        }
        if ("$($work.state.doing)" -cne $lost) { Set-WorkState $work $work.state.state $lost ([long]$work.state.code) }
        Start-Sleep -Milliseconds (Get-AskMs)
    }
} catch {
    Write-Log $work.folder "$($_.Exception.Message) ($($_.FullyQualifiedErrorId), line $($_.InvocationInfo.ScriptLineNumber))"
    Set-WorkState $work 'Failed' "$($_.Exception.Message)" (Get-ComCode $_)
    # Nothing changed as long as no commit was begun; what is not staged any more is of no use to a later order either.
    $spent = -not $committing -and "$($_.FullyQualifiedErrorId)" -like 'DrydockNotStaged*'
    Invoke-AloneAgain { if ($spent) { Set-ConsumedPhase $place 'PlatformRefused'; Save-Memory } else { Set-Unmet $work 'Platform' } }
} finally { Remove-WorkTask $work }
