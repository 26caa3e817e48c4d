# What runs detached on the node: SYSTEM scheduled tasks named by their entry, and their files under ProgramData.
#   <EPOCH.NONCE-SEQ>\values.json   written by orders only, under the mutex: what is asked
#   <EPOCH.NONCE-SEQ>\state.json    written by the task while it lives: how far it came
#   <EPOCH.NONCE-SEQ>\task.ps1      constant text, gone when the task has ended
#   <EPOCH.NONCE-SEQ>\log.txt       for people
# Never below C:\Windows\Temp, which a feature update empties.

# Folders of ended work that are kept for people.
function Get-KeptFolders { 8 }
# How long after its acceptance a task may begin; the scheduler starts it at once or not at all.
function Get-BeginLimitMs { 120000 }
# How long a requested restart may take before the node counts as not going down.
function Get-ShutdownLimitMs { 600000 }
# The longest that a worker works: twice what was ever reported of a feature update.
function Get-WorkerLimitMs { 14400000 }
# How long after its acceptance a Restart may begin its commit: longer than finding what is staged and reading the storage take.
function Get-CommitLimitMs { 900000 }
# How long what was committed waits for quorum to bear its restart; then the next Restart asks again.
function Get-QuorumWaitMs { 600000 }
# Between two questions of a task whether it may go on.
function Get-AskMs { 3000 }
# How long a worker that was told to stop may go on before it is ended.
function Get-ToldLimitMs { 120000 }

function Get-WorkRoot { Join-Path $env:ProgramData 'Drydock' }
function Get-WorkFolder([string]$Place) { Join-Path (Get-WorkRoot) ($Place -replace '/', '-') }

# The root, for Administrators and SYSTEM only. One that was there before us and is a link, or was somebody else's, is not trusted with what SYSTEM runs.
function New-WorkFolder([string]$Place) {
    $root = Get-WorkRoot
    if (-not (Test-Path -LiteralPath $root)) { [void](New-Item -ItemType Directory -Path $root) }
    if (((Get-Item -LiteralPath $root -Force).Attributes -band [System.IO.FileAttributes]::ReparsePoint) -ne 0) { throw (New-Fault DrydockForeignFolder 'ProgramData\Drydock is a link') }
    Protect-Folder $root
    $folder = Get-WorkFolder $Place
    # Whatever lies there is of an order that did not come to its record, or of somebody else.
    if (Test-Path -LiteralPath $folder) { Remove-Item -LiteralPath $folder -Recurse -Force }
    [void](New-Item -ItemType Directory -Path $folder)
    $folder
}

# Written beside, flushed, and put in place in one step: a reader sees the old or the new, never a half.
function Write-JsonFile([string]$Path, $Value) {
    $bytes = [System.Text.Encoding]::ASCII.GetBytes((ConvertTo-WireJson $Value))
    $beside = "$Path.new"
    $file = New-Object System.IO.FileStream($beside, [System.IO.FileMode]::Create, [System.IO.FileAccess]::Write, [System.IO.FileShare]::None)
    try { $file.Write($bytes, 0, $bytes.Length); $file.Flush($true) } finally { $file.Dispose() }
    if (-not [System.IO.File]::Exists($Path)) { [System.IO.File]::Move($beside, $Path); return }
    # A reader may hold the old one for a moment.
    for ($try = 0; $true; $try++) {
        try { [System.IO.File]::Replace($beside, $Path, [System.Management.Automation.Language.NullString]::Value); return } catch { if ($try -ge 20) { throw } }
        Start-Sleep -Milliseconds 50
    }
}

# Nothing when there is no such file. One that does not read is damage, and damage is an error. While a file is put in place Windows may show none for a
# moment (Microsoft: ReplaceFile), or one that cannot be opened.
function Read-JsonFile([string]$Path) {
    $text = $null
    for ($try = 0; $null -eq $text; $try++) {
        try { $text = Read-Text $Path } catch [System.IO.IOException] { if ($try -ge 10) { throw } }
        if ($null -eq $text) {
            if ($try -ge 10 -or -not ([System.IO.File]::Exists($Path) -or [System.IO.File]::Exists("$Path.new"))) { return $null }
            Start-Sleep -Milliseconds 20
        }
    }
    try { $value = ConvertFrom-Json -InputObject $text } catch { throw (New-Fault DrydockDamagedState "$Path does not read") }
    if ($value -isnot [System.Management.Automation.PSCustomObject]) { throw (New-Fault DrydockDamagedState "$Path does not read") }
    $value
}

function Read-Text([string]$Path) {
    if (-not [System.IO.File]::Exists($Path)) { return $null }
    $share = [System.IO.FileShare]::ReadWrite -bor [System.IO.FileShare]::Delete
    $file = New-Object System.IO.FileStream($Path, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read, $share)
    try {
        if ($file.Length -gt 65536) { throw (New-Fault DrydockDamagedState "$Path is too long") }
        (New-Object System.IO.StreamReader($file)).ReadToEnd()
    } finally { $file.Dispose() }
}

# For people only: a line that cannot be written is lost, and work goes on.
function Write-Log([string]$Folder, [string]$Text) {
    $line = (Format-Instant ([datetime]::UtcNow)) + ' ' + ($Text -replace '[^\x20-\x7e]', '?') + "`r`n"
    $bytes = [System.Text.Encoding]::ASCII.GetBytes($line)
    try {
        $file = New-Object System.IO.FileStream((Join-Path $Folder 'log.txt'), [System.IO.FileMode]::Append, [System.IO.FileAccess]::Write, [System.IO.FileShare]::ReadWrite)
        try { $file.Write($bytes, 0, $bytes.Length) } finally { $file.Dispose() }
    } catch { Write-Verbose "log: $($_.Exception.Message)" }
}

# All entries that left a folder here: place, folder, values, state; and of one that does not read what is damaged about it.
function Get-Works {
    $root = Get-WorkRoot
    if (-not (Test-Path -LiteralPath $root)) { return }
    foreach ($item in @(Get-ChildItem -LiteralPath $root)) {
        if ($item.Name -cnotmatch '\A[0-9]{1,10}\.[a-z0-9-]{1,64}-[0-9]{1,10}\z') { continue }
        $work = @{ name = $item.Name; folder = $item.FullName; values = $null; state = $null; written = $item.LastWriteTimeUtc; damage = $null }
        # Written in the order values, state, task, log: so each is looked at before what was written before it.
        $began = @('task.ps1', 'log.txt' | Where-Object { Test-Path -LiteralPath (Join-Path $item.FullName $_) }).Count -gt 0
        foreach ($part in 'state', 'values') {
            try { $work[$part] = Read-JsonFile (Join-Path $item.FullName "$part.json") } catch {
                if ("$($_.FullyQualifiedErrorId)" -cne 'DrydockDamagedState') { throw }
                $work.damage = "$($_.Exception.Message)"
            }
        }
        if ($null -eq $work.damage) {
            if ($null -eq $work.values -and $null -eq $work.state) { continue }
            # A worker may live whose file was lost: that is never the same as no worker.
            if ($null -eq $work.values) { $work.damage = "$(Join-Path $item.FullName 'values.json') is missing" }
            elseif ($null -eq $work.state -and $began) { $work.damage = "$(Join-Path $item.FullName 'state.json') is missing" }
            else { $work.damage = Test-Work $work }
        }
        if ($null -ne $work.damage) { $work.state = $null }
        $work
    }
}

# JSON alone is not enough: what is missing or of another kind would end each look at it somewhere else.
function Test-Work($Work) {
    $fields = @{ values = 'kind', 'place', 'target', 'attempt'; state = 'state', 'boot', 'up', 'pid', 'start', 'code', 'doing' }
    foreach ($part in 'values', 'state') {
        if ($null -eq $Work[$part]) { continue }
        foreach ($field in $fields[$part]) {
            $value = Get-PropertyOrNull $Work[$part] $field
            if ($null -eq $value -or ($field -cin 'attempt', 'up', 'pid', 'start', 'code' -and $value -isnot [ValueType])) {
                return "$(Join-Path $Work.folder "$part.json") does not read: $field"
            }
        }
    }
    $null
}

function Get-SoundWorks { @(Get-Works | Where-Object { $null -eq $_.damage }) }
function Get-DamagedWorks { @(Get-Works | Where-Object { $null -ne $_.damage }) }

# Whether damaged work may be at work: its files cannot tell, the scheduler can. Where it cannot be asked nobody knows, which is an error.
function Get-RunningKind($Work) {
    foreach ($kind in 'restart', 'install') {
        try { $task = Get-ScheduledTask -TaskPath '\Drydock\' -TaskName "$kind-$($Work.name)" } catch {
            if ("$($_.CategoryInfo.Category)" -cne 'ObjectNotFound') { throw }
            continue
        }
        if ((Get-Word $task.State @{ '2' = 'Queued'; '4' = 'Running' }) -cin 'Queued', 'Running') { return $kind }
    }
    $null
}

# Work that does not read, before a Return: nothing when the node may be resumed beside it, else the refusal. An installation is told and then ended as any
# other; one whose values do not read would end itself at its next look. A commit is never ended.
function Stop-DamagedWork($Work, [bool]$SetupRuns) {
    $kind = Get-RunningKind $Work
    if ($kind -ceq 'restart') { return New-Refusal 'Busy' $Work.damage }
    if ($kind -ceq 'install') {
        if ($null -ne $Work.values) {
            $told = Get-PropertyOrNull $Work.values 'toldUp'
            if ($null -eq $told) {
                $Work.values | Add-Member -NotePropertyName toldUp -NotePropertyValue (Get-UpMs)
                Write-JsonFile (Join-Path $Work.folder 'values.json') $Work.values
            }
            if ($null -eq $told -or (Get-UpMs) - $told -le (Get-ToldLimitMs)) { return New-Refusal 'OtherWorker' $Work.damage }
        }
        Stop-ScheduledTask -TaskPath '\Drydock\' -TaskName "install-$($Work.name)"
    }
    # Which process setup is stands in the state that does not read; its command line tells as well.
    $known = $null -ne $Work.values -and "$(Get-PropertyOrNull $Work.values 'mediaPath')" -ne ''
    if ($SetupRuns -and $known) { Stop-Setup @{ values = $Work.values; state = [pscustomobject]@{ doing = 'setup'; setupPid = 0 } } }
    if ((Get-Setup).running) { return New-Refusal 'SetupRunning' $Work.damage }
    $null
}

function Test-Alive($Work, [string]$Boot) {
    $state = $Work.state
    if ($null -eq $state -or $state.boot -cne $Boot) { return $false }
    if ($state.pid -ne 0) { return Test-ExactProcess $state.pid $state.start }
    # The scheduler was asked, and the task has not said who it is yet: it may still come, unless the scheduler says that it has ended.
    $age = (Get-UpMs) - $state.up
    if ($age -ge (Get-BeginLimitMs)) { return $false }
    if ($age -lt 10000) { return $true }
    try { (Get-Word (Get-ScheduledTask -TaskPath '\Drydock\' -TaskName "$($Work.values.kind)-$($Work.name)").State @{ '2' = 'Queued'; '4' = 'Running' }) -cin 'Queued', 'Running' }
    catch { $false }
}

# The folder of the newest Install, or nothing.
function Get-InstallWork {
    $newest = $null
    foreach ($work in @(Get-SoundWorks)) {
        if ($work.values.kind -cne 'install' -or $null -eq $work.state) { continue }
        if ($null -eq $newest) { $newest = $work; continue }
        $order = Compare-Place $work.values.place $newest.values.place
        if ($order -eq 'Greater' -or ($order -eq 'None' -and $work.written -gt $newest.written)) { $newest = $work }
    }
    $newest
}

# The worker in the shape in which it goes over the wire, or nothing. After any boot it only reports. Beside work that does not read nobody can tell which
# worker is the newest.
function Get-Worker {
    foreach ($work in @(Get-DamagedWorks)) { throw (New-Fault DrydockDamagedState $work.damage) }
    Get-SoundWorker
}

function Get-SoundWorker {
    $work = Get-InstallWork
    if ($null -eq $work) { return $null }
    $boot = Get-BootId
    $state = $work.state
    $worker = [ordered]@{
        place = $work.values.place; target = $work.values.target; attempt = [int]$work.values.attempt; state = $state.state
        percent = [int]$state.percent; code = [long]$state.code; doing = "$($state.doing)"; alive = (Test-Alive $work $boot)
    }
    if ($worker.state -ceq 'Staging' -and $worker.alive) {
        $percent = Get-SetupPercent
        if ($null -ne $percent -and $percent -ge 0 -and $percent -le 100) { $worker.percent = [int]$percent }
    }
    # Its last word is written after its last act.
    if ($worker.state -cnotin 'Downloading', 'Staging') { $worker.alive = $false }
    if ($worker.state -ceq 'Staged') {
        if ($state.boot -cne $boot -and (Test-StagingSpent $work)) {
            $worker.state = 'Failed'
            $worker.code = 0x80242014L
            $worker.doing = 'restarting'
        }
    }
    $worker
}

# After a restart without commit the update agent's history shows this code for the update that was staged (a public project's notes on unattended
# in-place upgrades): what is staged is then of no use. Where the history cannot be read, the state file's word stands.
function Test-StagingSpent($Work) {
    $update = "$(Get-PropertyOrNull $Work.state 'updateId')"
    if ($update -eq '') { return $false }
    $commit = (Get-Memory).commit
    if ($null -ne $commit -and $commit.target -ceq $Work.values.target -and $commit.attempt -eq $Work.values.attempt) { return $false }
    try {
        $searcher = (New-UpdateObject 'Session').CreateUpdateSearcher()
        $count = [Math]::Min(50, [int]$searcher.GetTotalHistoryCount())
        if ($count -eq 0) { return $false }
        foreach ($entry in $searcher.QueryHistory(0, $count)) {
            # The newest of this update decides; history comes newest first.
            if ("$($entry.UpdateIdentity.UpdateID)" -eq $update) { return ([long]$entry.HResult -band 0xFFFFFFFFL) -eq 0x80242014L }
        }
    } catch { return $false }
    $false
}

# Whether a detached script of an earlier order is at work in this boot, or the node is about to go down.
function Test-Busy([string]$Boot) {
    foreach ($work in @(Get-SoundWorks)) {
        $state = $work.state
        if ($null -eq $state -or $work.values.kind -ceq 'install' -or $state.boot -cne $Boot) { continue }
        if ($state.state -cnotin 'Accepted', 'Committing', 'Committed', 'Restarting') { continue }
        if ($work.values.kind -ceq 'restart' -and (Test-Alive $work $Boot)) { return $true }
        if ($state.state -ceq 'Restarting' -and (Get-UpMs) - $state.up -lt (Get-ShutdownLimitMs)) { return $true }
    }
    $false
}

# Tells the task of a Restart to stop: it ends before its commit. One that has committed goes on.
function Request-RestartEnd {
    $boot = Get-BootId
    foreach ($work in @(Get-SoundWorks)) {
        if ($work.values.kind -cne 'restart' -or $null -eq $work.state -or $work.state.state -cne 'Accepted' -or -not (Test-Alive $work $boot)) { continue }
        if ($null -ne (Get-PropertyOrNull $work.values 'toldUp')) { continue }
        $work.values | Add-Member -NotePropertyName toldUp -NotePropertyValue (Get-UpMs)
        Write-JsonFile (Join-Path $work.folder 'values.json') $work.values
        Write-Log $work.folder 'a Return was heard: told to stop'
    }
}

# Tells the worker to stop, and ends it when it was told long ago (it may be inside a call of the update agent that takes hours).
function Request-WorkerEnd($Worker) {
    $work = Get-InstallWork
    $told = Get-PropertyOrNull $work.values 'toldUp'
    if ($null -eq $told) {
        $work.values | Add-Member -NotePropertyName toldUp -NotePropertyValue (Get-UpMs)
        Write-JsonFile (Join-Path $work.folder 'values.json') $work.values
        Write-Log $work.folder 'a Return was heard: told to stop'
        return
    }
    if ((Get-UpMs) - $told -le (Get-ToldLimitMs)) { return }
    Write-Log $work.folder 'did not stop when told: ended'
    # The scheduler ends what it started; the process is ended by itself where the scheduler does not know it any more.
    try { Stop-ScheduledTask -TaskPath '\Drydock\' -TaskName "install-$($work.name)" } catch { Write-Verbose 'no task' }
    Stop-ExactProcess ([int]$work.state.pid) ([long]$work.state.start)
    Stop-Setup $work
}

# The setup program that a worker started from media: by recorded id and start, and by its command line where the worker ended before it had written them
# down. Its own helpers end by their names.
function Stop-Setup($Work) {
    $state = $Work.state
    $id = Get-PropertyOrNull $state 'setupPid'
    if ($Work.values.source -cne 'Media' -or ($state.doing -cne 'setup' -and "$id" -in '', '0')) { return }
    if ("$id" -notin '', '0') { Stop-ExactProcess ([int]$id) ([long]$state.setupStart) }
    else {
        $setup = Join-Path (Resolve-LocalPath $Work.values.mediaPath) 'setup.exe'
        foreach ($process in @(Get-CimInstance -ClassName Win32_Process)) {
            if ("$($process.Name)" -ne 'setup.exe' -or "$($process.CommandLine)".IndexOf($setup, [System.StringComparison]::OrdinalIgnoreCase) -lt 0) { continue }
            Stop-Process -Id ([int]$process.ProcessId) -Force -ErrorAction SilentlyContinue
        }
    }
    Stop-SetupHelpers
}

# Boot entries that would go on with a staged upgrade at the next restart: their identifiers. Labels are localised, identifiers and paths are not.
function Get-StagedBootEntries {
    $lines = @(& (Get-SystemProgram 'bcdedit.exe') /enum osloader /v)
    if ($LASTEXITCODE -ne 0) { throw (New-Fault DrydockBcdedit "bcdedit.exe: exit code $LASTEXITCODE") }
    $id = $null
    $found = @()
    foreach ($line in $lines) {
        if ("$line".Trim() -eq '') { $id = $null }
        elseif ($null -eq $id -and "$line" -match '(\{[0-9a-fA-F-]{36}\})') { $id = $Matches[1] }
        if ($null -ne $id -and "$line" -like '*$WINDOWS.~BT\NewOS*' -and $found -notcontains $id) { $found += $id }
    }
    $found
}

function Get-SetupFolder { Join-Path $env:SystemDrive '$WINDOWS.~BT' }

# Whether setup's part before the restart is done: its log says so, or a boot entry goes on with it. Its exit code is never asked: which one means
# success is not documented. (A public project that drives unattended upgrades looks at both.)
function Test-MediaStaged([datetime]$Since) {
    $log = Join-Path (Get-SetupFolder) (Join-Path 'Sources' (Join-Path 'Panther' 'setupact.log'))
    if ((Test-Path -LiteralPath $log) -and (Get-Item -LiteralPath $log -Force).LastWriteTimeUtc -ge $Since) {
        if (@(Select-String -LiteralPath $log -SimpleMatch 'Finalize: Reporting result value: [0x0]').Count -gt 0) { return $true }
    }
    @(Get-StagedBootEntries).Count -gt 0
}

# Without its boot entry nothing goes on with what setup staged.
function Remove-StagedEntries {
    foreach ($id in @(Get-StagedBootEntries)) { [void]@(& (Get-SystemProgram 'bcdedit.exe') /delete $id) }
    if (@(Get-StagedBootEntries).Count -gt 0) { throw (New-Fault DrydockStillStaged 'a boot entry of the staged upgrade is still there') }
}

# What setup unpacked: some of it may be open, and 5.1 ends at a link to a folder whatever it is told. Without its boot entry the rest does nothing. It takes
# longer than a mutex may be held, so only workers do it.
function Remove-StagedFolder($Work) {
    $bits = Get-SetupFolder
    try { if (Test-Path -LiteralPath $bits) { Remove-Item -LiteralPath $bits -Recurse -Force } } catch { Write-Log $Work.folder "not all of $bits was removed: $($_.Exception.Message)" }
}

# Whether setup was begun for this work and its boot entry may be there still. What has reached its target has used it.
function Test-MayBeStaged($Work) {
    if ($Work.values.kind -cne 'install' -or $null -eq $Work.state -or "$(Get-PropertyOrNull $Work.values 'source')" -cne 'Media') { return $false }
    if ("$(Get-PropertyOrNull $Work.state 'cleaned')" -eq 'True' -or "$(Get-PropertyOrNull $Work.state 'setupBegan')" -eq 'False') { return $false }
    Test-Below $Work.values.target (Get-Build)
}

# Takes away what is staged and was not committed, so that no later restart goes on with it. Nothing where a worker lives or a commit was made.
# What Windows Update staged is inert without its commit; what setup staged from media has a boot entry of its own, which must go. An entry of somebody
# else's upgrade stays where none of ours came to its setup.
function Clear-Staged($Memory) {
    Clear-StagedByNobody $Memory
    $work = Get-InstallWork
    if ($null -eq $work -or "$(Get-PropertyOrNull $work.state 'cleaned')" -eq 'True') { return }
    $commit = $Memory.commit
    if ($null -ne $commit -and $commit.target -ceq $work.values.target -and $commit.attempt -eq $work.values.attempt) { return }
    if ($work.state.state -cin 'Downloading', 'Staging' -and (Test-Alive $work (Get-BootId))) { return }
    if ($work.values.source -ceq 'Media' -and $work.state.boot -ceq (Get-BootId)) { Stop-Setup $work }
    # An earlier one may have ended before it could clean.
    $staged = @(Get-SoundWorks | Where-Object { Test-MayBeStaged $_ })
    if ($staged.Count -gt 0) { Remove-StagedEntries }
    foreach ($one in $staged) { if ($one.name -cne $work.name) { Set-Cleaned $one } }
    if ($work.state.state -cin 'Staged', 'Downloading', 'Staging') { $work.state.state = 'Cancelled' }
    Set-Cleaned $work
    Write-Log $work.folder 'taken away: what was staged and not committed'
}

function Set-Cleaned($Work) {
    $Work.state | Add-Member -NotePropertyName cleaned -NotePropertyValue $true -Force
    Write-JsonFile (Join-Path $Work.folder 'state.json') $Work.state
}

# What work that does not read may have staged. A commit of this boot waits for its restart, and whose it was cannot be told.
function Clear-StagedByNobody($Memory) {
    if ($null -ne $Memory.commit -and $Memory.commit.boot -ceq (Get-BootId)) { return }
    $may = @(Get-DamagedWorks | Where-Object { $null -eq $_.values -or "$(Get-PropertyOrNull $_.values 'source')" -cne 'WindowsUpdate' -and "$(Get-PropertyOrNull $_.values 'kind')" -cin '', 'install' })
    if ($may.Count -gt 0) { Remove-StagedEntries }
}

# Registers and starts the task of an entry. The text is constant; everything that differs lies in values.json beside it.
function Start-Work([string]$Kind, [string]$Place, [string]$TaskSource, [string[]]$TaskLibraries, $Values, $State) {
    $folder = New-WorkFolder $Place
    Write-JsonFile (Join-Path $folder 'values.json') $Values
    Write-JsonFile (Join-Path $folder 'state.json') $State
    $script = Join-Path $folder 'task.ps1'
    $text = ($TaskLibraries -join "`r`n") + "`r`n& {`r`n" + $TaskSource + "`r`n} -Folder (Get-Location).ProviderPath`r`n"
    [System.IO.File]::WriteAllText($script, $text, [System.Text.Encoding]::ASCII)
    $name = $Kind + '-' + ($Place -replace '/', '-')
    # Constant, and no script file in the sense of an execution policy: a Group Policy that asks for signatures overrides -ExecutionPolicy Bypass.
    $argument = '-NoProfile -NonInteractive -Command "& ([scriptblock]::Create([System.IO.File]::ReadAllText(''task.ps1'')))"'
    $action = New-ScheduledTaskAction -Execute (Get-SystemProgram 'powershell.exe') -Argument $argument -WorkingDirectory $folder
    $principal = New-ScheduledTaskPrincipal -UserId 'SYSTEM' -LogonType ServiceAccount -RunLevel Highest
    # No time limit (Microsoft: ExecutionTimeLimit, PT0S); priority 4 is that of an ordinary program, 7 (the default) slows disk and memory down.
    $settings = New-ScheduledTaskSettingsSet -ExecutionTimeLimit ([TimeSpan]::Zero) -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries -MultipleInstances IgnoreNew -Priority 4
    [void](Register-ScheduledTask -TaskPath '\Drydock\' -TaskName $name -Action $action -Principal $principal -Settings $settings)
    Start-ScheduledTask -TaskPath '\Drydock\' -TaskName $name
}

# Tasks and scripts of work that has ended, and folders beyond those that are kept. The newest Install is what a Restart needs; what does not read is left to
# people.
function Clear-OldWork {
    $boot = Get-BootId
    $newest = Get-InstallWork
    $ended = @(Get-SoundWorks | Where-Object { -not (Test-Alive $_ $boot) } | Sort-Object { $_.written } -Descending)
    foreach ($work in $ended) { Remove-WorkTask $work }
    foreach ($work in @($ended | Select-Object -Skip (Get-KeptFolders))) {
        if ($null -ne $newest -and $newest.name -ceq $work.name) { continue }
        Remove-Item -LiteralPath $work.folder -Recurse -Force -ErrorAction SilentlyContinue
    }
}

# Work that could not be started leaves nothing.
function Remove-Work([string]$Place) {
    $name = $Place -replace '/', '-'
    foreach ($kind in 'install', 'restart') {
        try { Unregister-ScheduledTask -TaskPath '\Drydock\' -TaskName "$kind-$name" -Confirm:$false } catch { Write-Verbose "no task $kind-$name" }
    }
    $folder = Get-WorkFolder $Place
    if (Test-Path -LiteralPath $folder) { Remove-Item -LiteralPath $folder -Recurse -Force }
}

function Remove-WorkTask($Work) {
    $script = Join-Path $Work.folder 'task.ps1'
    if (-not (Test-Path -LiteralPath $script)) { return }
    Unregister-ScheduledTask -TaskPath '\Drydock\' -TaskName "$($Work.values.kind)-$($Work.name)" -Confirm:$false -ErrorAction SilentlyContinue
    Remove-Item -LiteralPath $script -Force -ErrorAction SilentlyContinue
}

# Asks Windows to restart in five seconds, so that the answer still gets out. 1115 says that it goes down already, 1190 that it was told
# so before (Microsoft: System error codes, ERROR_SHUTDOWN_IN_PROGRESS and ERROR_SHUTDOWN_IS_SCHEDULED).
# (Microsoft: shutdown command; reason 2:3 is an upgrade of the operating system, 2:4 its reconfiguration, both planned.)
function Invoke-Shutdown([string]$Reason, [string]$Comment) {
    [void]@(& (Get-SystemProgram 'shutdown.exe') /r /t 5 /d $Reason /c $Comment)
    if ($LASTEXITCODE -notin 0, 1115, 1190) { throw (New-Fault DrydockShutdown "shutdown.exe: exit code $LASTEXITCODE") }
}

# The task says who it is. Nothing unless it may begin: once, in the boot in which it was asked for, and soon after.
function Enter-Work([string]$Folder, [string[]]$From) {
    # Whoever asked for the task holds the mutex for a moment yet; Busy is a receipt, what was claimed has a folder.
    for ($try = 1; $try -le 4; $try++) {
        $claimed = Invoke-Alone (Get-MachineUuid) { Set-WorkOwner $Folder $From }
        if ($null -eq $claimed) { return $null }
        if ($claimed.Contains('folder')) { return $claimed }
    }
    $null
}

function Set-WorkOwner([string]$Folder, [string[]]$From) {
    $values = Read-JsonFile (Join-Path $Folder 'values.json')
    $state = Read-JsonFile (Join-Path $Folder 'state.json')
    if ($null -eq $values -or $null -eq $state) { return $null }
    if ($state.boot -cne (Get-BootId) -or $state.pid -ne 0 -or $From -cnotcontains $state.state) { return $null }
    if ((Get-UpMs) - $state.up -ge (Get-BeginLimitMs)) { return $null }
    $state.pid = $PID
    $state.start = (Get-Process -Id $PID).StartTime.ToUniversalTime().Ticks
    Write-JsonFile (Join-Path $Folder 'state.json') $state
    @{ folder = $Folder; values = $values; state = $state; name = (Split-Path $Folder -Leaf) }
}

# Why detached work must not go on, or nothing. An order writes what it consumes and what it asks of the work one after the other, under the mutex: what is
# seen in between is no reason, so only one that is seen under the mutex, too, is believed. While that cannot be had the work goes on, and looks again later.
function Get-StopReason($Work) {
    if ($null -eq (Find-StopReason $Work)) { return $null }
    for ($try = 1; $try -le 4; $try++) {
        $sure = Invoke-Alone (Get-MachineUuid) { @{ reason = Find-StopReason $Work } }
        if ($sure.Contains('reason')) { return $sure.reason }
    }
    Write-Log $Work.folder 'a reason to stop was seen and could not be made sure of: the mutex was never free'
    $null
}

# The same at one look. What was asked is read again each time: another order may have taken the work over.
function Find-StopReason($Work) {
    $values = Read-JsonFile (Join-Path $Work.folder 'values.json')
    if ($null -eq $values) { return 'values.json is missing' }
    $Work.values = $values
    $place = $values.place
    $memory = Get-Memory
    if ($null -ne (Get-PropertyOrNull $Work.values 'toldUp')) { return 'a Return was heard' }
    if ($null -ne $memory.cancelled -and (Compare-Place $memory.cancelled $place) -ceq 'Greater') { return "Cancel $($memory.cancelled)" }
    if ($null -ne $memory.consumed -and (Compare-Place $memory.consumed.place $place) -ceq 'Greater') { return "newer order $($memory.consumed.place)" }
    $vacate = ''
    if ($null -ne $memory.marker) { $vacate = $memory.marker.vacate }
    if ($vacate -cne "$($Work.values.vacate)") { return "marker '$vacate' instead of '$($Work.values.vacate)'" }
    $null
}

function Set-WorkState($Work, [string]$State, [string]$Doing, [long]$Code = 0) {
    $Work.state.state = $State
    $Work.state.doing = $Doing
    $Work.state.code = $Code
    Write-JsonFile (Join-Path $Work.folder 'state.json') $Work.state
    Write-Log $Work.folder ('{0}: {1}{2}' -f $State, $Doing, $(if ($Code -ne 0) { ' 0x{0:X8}' -f $Code }))
}
