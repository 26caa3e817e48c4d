# Whether this node performs an order, and the order's frame: one mutex around look, record and start. The twin in Rust is
# controller/lab/src/node/admit.rs; where the two differ, one of them is wrong. A refusal consumes nothing and proves nothing.

# How long an order waits for another one, and how long one may hold the mutex before it is taken for dead: reading the storage of a large cluster
# takes minutes at worst, and acts that take longer run detached.
function Get-MutexWaitMs { 30000 }
function Get-HolderLimitMs { 300000 }

function New-Receipt([string]$Receipt, $Unmet, $Detail, $Newer) {
    [ordered]@{ receipt = $Receipt; unmet = $Unmet; detail = $Detail; newer = $Newer }
}
function New-Refusal([string]$Unmet, $Detail) { New-Receipt 'Refused' $Unmet $Detail $null }

# The digest over entry, identity, step, target and attempt: SHA-256 over each field after its length (eight bytes, highest first).
# With it, what was consumed is told from another order of the same entry. The texts are ASCII by their alphabets.
function Get-OrderDigest($Order) {
    $fields = @("$($Order.entryCluster)/$($Order.place)", $Order.name, $Order.machine, $Order.cluster, $Order.node, $Order.step)
    if ($Order.step -cnotin 'Fence', 'Cancel') { $fields += @($Order.target, "$($Order.attempt)") }
    $bytes = New-Object System.IO.MemoryStream
    foreach ($field in $fields) {
        $text = [System.Text.Encoding]::UTF8.GetBytes([string]$field)
        $length = [System.BitConverter]::GetBytes([long]$text.Length)
        if ([System.BitConverter]::IsLittleEndian) { [array]::Reverse($length) }
        $bytes.Write($length, 0, 8)
        $bytes.Write($text, 0, $text.Length)
    }
    $sha = [System.Security.Cryptography.SHA256]::Create()
    try { -join @($sha.ComputeHash($bytes.ToArray()) | ForEach-Object { $_.ToString('x2') }) } finally { $sha.Dispose() }
}

# Runs the block inside the node's mutex; Busy when it cannot be had in time.
function Invoke-Alone([string]$Machine, [scriptblock]$Inside) {
    $mutex = New-NodeMutex "Global\Drydock-$Machine"
    try {
        if (-not (Wait-Mutex $mutex (Get-MutexWaitMs)) -and -not ((Stop-LateHolder) -and (Wait-Mutex $mutex 10000))) { return New-Refusal 'Busy' $null }
        try {
            Set-Holder
            & $Inside
        } finally {
            try { Clear-Holder } finally { $mutex.ReleaseMutex() }
        }
    } finally { $mutex.Dispose() }
}

# An abandoned mutex is acquired: its holder died inside, and everything is read again anyway.
function Wait-Mutex($Mutex, [int]$Ms) {
    try { $Mutex.WaitOne($Ms) } catch [System.Threading.AbandonedMutexException] { $true }
}

# Who holds the mutex, in the volatile key: process id, its start, and until when by this boot's steady clock.
function Set-Holder {
    [void](Get-BootId)
    $start = (Get-Process -Id $PID).StartTime.ToUniversalTime().Ticks
    $until = (Get-UpMs) + (Get-HolderLimitMs)
    [void](New-ItemProperty -LiteralPath ((Get-MemoryKey) + '\Boot') -Name 'Holder' -Value "$PID $start $until" -PropertyType String -Force)
}

function Clear-Holder { Remove-ItemProperty -LiteralPath ((Get-MemoryKey) + '\Boot') -Name 'Holder' -ErrorAction SilentlyContinue }

# Ends the holder when its time is over; by id and start, as ids are used again. True when there is reason to wait once more.
function Stop-LateHolder {
    $key = (Get-MemoryKey) + '\Boot'
    if (-not (Test-Path -LiteralPath $key)) { return $false }
    $text = "$(Get-PropertyOrNull (Get-ItemProperty -LiteralPath $key) 'Holder')"
    if ($text -cnotmatch '\A([0-9]{1,10}) ([0-9]{1,19}) ([0-9]{1,15})\z') { return $false }
    if ((Get-UpMs) -le [long]$Matches[3]) { return $false }
    Stop-ExactProcess ([int]$Matches[1]) ([long]$Matches[2])
    $true
}

# Whether the process of this id and start lives.
function Test-ExactProcess([int]$Id, [long]$Start) {
    # What has not begun has no process; 0 is Windows' own, which never ends.
    if ($Id -le 0) { return $false }
    $process = Get-Process -Id $Id -ErrorAction SilentlyContinue
    if ($null -eq $process) { return $false }
    # Half a second covers what Unix rounds. A process whose start cannot be read has ended at this moment, or counts as the one that is meant.
    try { [Math]::Abs($process.StartTime.ToUniversalTime().Ticks - $Start) -lt 5000000 }
    catch { try { -not $process.HasExited } catch { $true } }
}

function Stop-ExactProcess([int]$Id, [long]$Start) {
    if (Test-ExactProcess $Id $Start) { Stop-Process -Id $Id -Force -ErrorAction SilentlyContinue }
}

# An order, from the parameters that every order script has.
function New-Order(
    [string]$Step, [string]$EntryCluster, [long]$EpochNumber, [string]$EpochNonce, [long]$Seq, [string]$NodeName, [string]$Machine, [string]$ClusterId,
    [string]$ClusterNode, [string]$Boot, [long]$NotAfterMs = -1, [string]$Digest, [string]$ExpectMarker = 'Any', [bool]$ExpectOthersUp,
    [string]$ExpectStorage = 'Any', [string]$ExpectBuild, [bool]$ExpectQuorum, [string]$Target, [int]$Attempt
) {
    $place = (ConvertTo-Place "$EpochNumber.$EpochNonce/$Seq").text
    if ($ExpectMarker -cnotin 'Any', 'Absent') { [void](ConvertTo-Place $ExpectMarker) }
    @{
        step = $Step; entryCluster = $EntryCluster; place = $place; name = $NodeName; machine = $Machine; cluster = $ClusterId; node = $ClusterNode
        boot = $Boot; notAfterMs = $NotAfterMs; digest = $Digest; target = $Target; attempt = $Attempt
        expect = @{ marker = $ExpectMarker; othersUp = $ExpectOthersUp; storage = $ExpectStorage; build = $ExpectBuild; quorum = $ExpectQuorum }
    }
}

# The frame of every order. The block performs it, with the entry recorded and on the disk; it answers a receipt. What must not be missing under a fence
# that was heard comes as FIRST.
function Invoke-Order($Order, [scriptblock]$Do, [scriptblock]$First = {}) {
    if ((Get-OrderDigest $Order) -cne $Order.digest) { return New-Refusal 'Garbled' $null }
    $machine = Get-MachineUuid
    if ($machine -cne $Order.machine) { return New-Refusal 'OtherIdentity' "machine $machine" }
    Invoke-Alone $machine {
        $storage = $null
        if ($Order.expect.storage -cne 'Any') {
            # Only for an order that is not refused anyway.
            $refusal = Test-Heard $Order (Get-Memory)
            if ($null -ne $refusal) { return $refusal }
            $storage = Read-Storage
        }
        $node = Read-Node $Order
        # From here to the act nothing is slow: what is judged is so now.
        $memory = Get-Memory
        $refusal = Test-Order $Order $memory $storage $node
        if ($null -ne $refusal) { return $refusal }
        [void]@(& $First $Order $memory)
        Set-Fence (Get-NewerPlace $memory.fence $Order.place)
        if ($Order.step -cin 'Fence', 'Cancel') { return & $Do $Order $memory }
        Set-Consumed $Order.place $Order.digest 'Recorded'
        Save-Memory
        & $Do $Order $memory
    }
}

# The storage, which takes minutes at worst; an error counts where it is judged.
function Read-Storage {
    try { @{ facts = Get-StorageFacts; why = $null } } catch { @{ facts = $null; why = "not known: $($_.Exception.Message)" } }
}

# What works on this node. The update agent may be asked, which takes its time; an error counts where it is judged.
function Read-Node($Order) {
    $node = @{ damaged = @(); busy = $false; setup = $null; worker = $null; error = $null }
    if ($Order.step -cin 'Fence', 'Cancel') { return $node }
    try {
        $node.damaged = @(Get-DamagedWorks)
        $node.busy = Test-Busy (Get-BootId)
        if ($Order.step -cne 'WriteRegistry') {
            $node.setup = Get-Setup
            $node.worker = if ($node.damaged.Count -gt 0) { Get-SoundWorker } else { Get-Worker }
        }
    } catch { $node.error = $_ }
    $node
}

# The cluster as this node's cluster service sees it, or why it cannot be seen.
function Read-View {
    try { @{ view = Get-View; blind = $null } } catch { @{ view = $null; blind = "$($_.Exception.Message)" } }
}

# How the view shows a member; nothing when it does not.
function Get-OwnState($Seen, [string]$Own) {
    if ($null -eq $Seen.view) { return $null }
    foreach ($member in $Seen.view.members) { if ($member.name -ceq $Own) { return $member.state } }
}

# Nothing when the order is admitted, else the receipt that says why not.
function Test-Order($Order, $Memory, $Storage, $Node) {
    $refusal = Test-Heard $Order $Memory
    # Fences and Cancels hold in every boot, at any time, and under a stop mark.
    if ($null -ne $refusal -or $Order.step -cin 'Fence', 'Cancel') { return $refusal }
    $seen = Read-View
    $refusal = Test-Expectation $Order $Memory $seen $Storage
    if ($null -ne $refusal) { return $refusal }
    Test-Possible $Order $Memory $seen $Node
}

# What an order expected, asked once more by its detached work: nothing, or the refusal. Between acceptance and act minutes pass.
function Test-Again($Order, $Memory, $Storage) {
    $refusal = Test-Stop $Order $Memory
    if ($null -ne $refusal) { return $refusal }
    Test-Expectation $Order $Memory (Read-View) $Storage
}

# Nothing when the order is for this node in this boot, in time, newer than what was heard, not obeyed before, and not stopped by a person.
function Test-Heard($Order, $Memory) {
    try { $identity = Get-Identity } catch { return New-Refusal 'NoView' "no identity: $($_.Exception.Message)" }
    if ($identity.name -cne $Order.name) { return New-Refusal 'OtherIdentity' "name $($identity.name)" }
    if ($identity.machine -cne $Order.machine) { return New-Refusal 'OtherIdentity' "machine $($identity.machine)" }
    if ($identity.cluster -cne $Order.cluster -or $identity.node -cne $Order.node) { return New-Refusal 'OtherIdentity' "node $($identity.node) of cluster $($identity.cluster)" }
    if ($null -ne $Memory.fence) {
        switch (Compare-Place $Order.place $Memory.fence) {
            'None' { return New-Refusal 'OtherClaim' $Memory.fence }
            'Less' { return New-Receipt 'Fenced' $null $null $Memory.fence }
        }
    }
    Save-Identity $identity
    if ($Order.step -cin 'Fence', 'Cancel') { return $null }
    if ($null -ne $Memory.consumed -and $Memory.consumed.place -ceq $Order.place) {
        if ($Memory.consumed.digest -cne $Order.digest) { return New-Refusal 'OtherOrderConsumed' $null }
        return New-Receipt 'AlreadyConsumed' $null $null $null
    }
    $boot = Get-BootId
    if ($Order.boot -cne '' -and $Order.boot -cne $boot) { return New-Refusal 'OtherBoot' $null }
    if ($Order.notAfterMs -ge 0 -and (Get-UpMs) -gt $Order.notAfterMs) { return New-Refusal 'TooLate' $null }
    Test-Stop $Order $Memory
}

# A person's stop mark spares the way back.
function Test-Stop($Order, $Memory) {
    if ($null -ne $Memory.stop -and $Order.step -cne 'Return' -and -not ($Order.step -ceq 'Restart' -and (Test-Committed $Memory $Order))) {
        return New-Refusal 'StopMark' "$($Memory.stop.who): $($Memory.stop.why)"
    }
    $null
}

# What our key says of who the node is, for the time when its cluster service is stopped. Only what the cluster service said just now.
function Save-Identity($Identity) {
    $text = "$($Identity.machine) $($Identity.cluster) $($Identity.node)"
    if ((Get-MemoryText 'Identity') -cne $text) { Set-MemoryText 'Identity' $text }
}

# Whether the attempt is past its point of no return.
function Test-Committed($Memory, $Order) {
    $null -ne $Memory.commit -and $Memory.commit.target -ceq $Order.target -and $Memory.commit.attempt -eq $Order.attempt
}

# Words of StatusInformation that do no harm. Any other counts as harm, a number too: what a newer Windows means by it is not known.
function Test-Harmless([string]$Information) {
    @($Information -split ', ' | Where-Object { $_ -cnotin 'Normal', 'DrainInProgress', 'DrainCompleted', 'DrainFailed', 'AvoidPlacement' }).Count -eq 0
}

function Test-Expectation($Order, $Memory, $Seen, $Storage) {
    $expect = $Order.expect
    $state = Get-OwnState $Seen $Order.name
    if ($expect.marker -ceq 'Absent') {
        if ($null -eq $Seen.view) { return New-Refusal 'NoView' $Seen.blind }
        if ($null -ne $Memory.marker) { return New-Refusal 'Marker' "$($Memory.marker.vacate) is here" }
        if ($state -cne 'Up') { return New-Refusal 'Marker' 'the node is not Up' }
    } elseif ($expect.marker -cne 'Any') {
        # A person's resume leaves the marker: what is in service again is not out, and is neither installed on nor restarted.
        if ($Order.step -cin 'Install', 'Reboot', 'Restart' -and $state -ceq 'Up') { return New-Refusal 'Marker' 'the node is Up' }
        if ($null -eq $Memory.marker) { return New-Refusal 'Marker' 'there is none' }
        if ((Compare-Place $Memory.marker.vacate $expect.marker) -cnotin 'Equal', 'Greater') { return New-Refusal 'Marker' "$($Memory.marker.vacate) is here" }
    }
    if ($expect.build -cne '') {
        $build = Get-Build
        $text = "$($build.build).$($build.revision)"
        if ($text -cne $expect.build) { return New-Refusal 'OtherBuild' $text }
    }
    if ($expect.othersUp) {
        if ($null -eq $Seen.view) { return New-Refusal 'NoView' $Seen.blind }
        foreach ($member in @($Seen.view.members | Sort-Object { $_.name })) {
            if ($member.name -cne $Order.name -and ($member.state -cne 'Up' -or -not (Test-Harmless $member.information))) { return New-Refusal 'NotUp' $member.name }
        }
    }
    if ($expect.storage -cne 'Any') {
        if ($null -eq $Seen.view) { return New-Refusal 'NoView' $Seen.blind }
        $why = $Storage.why
        if ($null -eq $why) { try { $why = Test-Storage $Storage.facts $expect.storage $Order.name } catch { $why = "not known: $($_.Exception.Message)" } }
        if ($null -ne $why) { return New-Refusal 'Storage' $why }
    }
    if ($expect.quorum) {
        if ($null -eq $Seen.view) { return New-Refusal 'NoView' $Seen.blind }
        return Test-Quorum $Order.name
    }
    $null
}

# Whether the cluster survives this node's going down; that it cannot be known is a refusal, too.
function Test-Quorum([string]$Own) {
    try { $losers = @(Get-QuorumLosers $Own) } catch { return New-Refusal 'Quorum' "not known: $($_.Exception.Message)" }
    if ($losers.Count -gt 0) { return New-Refusal 'Quorum' $null }
    $null
}

# Nothing when the storage is as expected, else what is not.
function Test-Storage($Storage, [string]$Expected, [string]$Own) {
    if ($Expected -ceq 'Settled') {
        $pool = $Storage.pool
        if ($pool.health -cne 'Healthy' -or $pool.readOnly -or @($pool.operational | Where-Object { $_ -cne 'OK' }).Count -gt 0) { return "pool $($pool.health)" }
    }
    foreach ($disk in $Storage.disks) {
        $state = Get-DiskState $disk
        $fits = if ($Expected -ceq 'Settled') { $state -ceq 'Healthy' } else { $state -cin 'Healthy', 'Repairing', 'Incomplete', 'Degraded' }
        if (-not $fits) { return "$($disk.name) $state" }
    }
    foreach ($job in $Storage.jobs) {
        if ($job.state -cin 'Completed', 'Terminated', 'Killed', 'Exception') { continue }
        if ($Expected -ceq 'Settled' -or $job.state -cne 'Suspended') { return "job $($job.name) $($job.state)" }
    }
    foreach ($drive in $Storage.drives) {
        if ($Expected -cne 'Settled' -and $drive.node -ceq $Own) { continue }
        if ($drive.maintenance -gt 0 -or $drive.good -ne $drive.total) { return "disks of $($drive.node): $($drive.good) of $($drive.total) good, $($drive.maintenance) in maintenance mode" }
    }
    $null
}

# How a virtual disk is; of several words the worst one.
function Get-DiskState($Disk) {
    $words = @($Disk.operational | ForEach-Object { $_ -replace ' ', '' })
    foreach ($pair in @('Detached', 'Detached'), @('NoRedundancy', 'NoRedundancy'), @('Degraded', 'Degraded'), @('Incomplete', 'Incomplete'), @('InService', 'Repairing')) {
        if ($words -ccontains $pair[0]) { return $pair[1] }
    }
    $good = $Disk.health -ceq 'Healthy' -and $words.Count -gt 0 -and @($words | Where-Object { $_ -cnotin 'OK', 'Suboptimal' }).Count -eq 0
    if ($good) { 'Healthy' } else { 'Other' }
}

# What the step itself needs.
function Test-Possible($Order, $Memory, $Seen, $Node) {
    # Beside files that do not read only the way back is open: no state of a worker keeps a node paused when none lives.
    if ($Node.damaged.Count -gt 0 -and $Order.step -cne 'Return') { throw (New-Fault DrydockDamagedState $Node.damaged[0].damage) }
    if ($null -ne $Node.error) { throw $Node.error }
    if ($Node.busy) {
        # A Restart that has not committed is told to stop, so that the next send is admitted.
        if ($Order.step -ceq 'Return') { Request-RestartEnd }
        return New-Refusal 'Busy' $null
    }
    if ($Order.step -ceq 'WriteRegistry') { return $null }
    $setup = $Node.setup
    $worker = $Node.worker
    $same = $null -ne $worker -and $worker.target -ceq $Order.target -and $worker.attempt -eq $Order.attempt
    $atWork = $null -ne $worker -and $worker.alive -and $worker.state -cin 'Downloading', 'Staging'
    switch -CaseSensitive ($Order.step) {
        'Vacate' {
            if ($null -eq $Seen.view) { return New-Refusal 'NoView' $Seen.blind }
            if ($setup.running) { return New-Refusal 'SetupRunning' $null }
        }
        'Reboot' {
            if ($atWork) { return New-Refusal 'OtherWorker' $worker.place }
            if ($setup.running) { return New-Refusal 'SetupRunning' $null }
        }
        'Install' {
            if ($atWork) { if (-not $same) { return New-Refusal 'OtherWorker' $worker.place } }
            elseif ($setup.running) { return New-Refusal 'SetupRunning' $null }
        }
        'Restart' {
            if (Test-Committed $Memory $Order) {
                # Restarting again is of use only while what was committed still waits for a restart.
                if ($setup.running) { return New-Refusal 'SetupRunning' $null }
                if ($Memory.commit.boot -cne (Get-BootId) -and -not $setup.pending -and (Test-Below $Order.target (Get-Build))) { return New-Refusal 'CommitSpent' $null }
            } elseif (-not ($same -and $worker.state -ceq 'Staged')) { return New-Refusal 'NotStaged' $null }
        }
        'Return' {
            # Resumed, it would be in service, and its next restart, whoever asked for it, would go on with the upgrade.
            if ($null -ne $Memory.commit -and $Memory.commit.boot -ceq (Get-BootId) -and (Test-Below $Memory.commit.target (Get-Build))) { return New-Refusal 'Committed' $null }
            if ($atWork) {
                # It is told to stop, so that the next send is admitted.
                Request-WorkerEnd $worker
                return New-Refusal 'OtherWorker' $worker.place
            }
            foreach ($work in $Node.damaged) {
                $refusal = Stop-DamagedWork $work $setup.running
                if ($null -ne $refusal) { return $refusal }
            }
            # What is not seen to be paused or in service cannot be resumed now, and its marker must not go.
            $state = Get-OwnState $Seen $Order.name
            if ($state -cnotin 'Paused', 'Up') { return New-Refusal 'NoView' $(if ($null -eq $Seen.view) { $Seen.blind } else { "the node is $state" }) }
        }
        default { throw (New-Fault DrydockUnknownStep "there is no step $($Order.step)") }
    }
    $null
}

# Whether a build is below a target: an older release, or an older build of the target's own. TARGET: `23H2`, or `23H2 (25398.1611 or later)`.
function Test-Below([string]$Target, $Build) {
    $families = @{ '22H2' = 20349; '23H2' = 25398; '24H2' = 26100 }
    if ($Target -cnotmatch '\A(2[234]H2)(?: \([0-9]{5}\.([0-9]{1,6}) or later\))?\z') { throw (New-Fault DrydockUnknownTarget "$Target is no target") }
    $family = $families[$Matches[1]]
    $floor = 0
    if ($Matches.Count -gt 2) { $floor = [int]$Matches[2] }
    $Build.build -lt $family -or ($Build.build -eq $family -and $Build.revision -lt $floor)
}
