# Reading the node and its cluster. Every read is defensive: enums may come as numbers (CIM) or words, one object is no array, older modules
# lack properties, and while the cluster service is stopped cluster commands fail (which is never the same as an empty answer).

# One part of a probe: what the block answers, or why it could not. One part that fails never takes another with it.
function Get-Part([scriptblock]$Read, [switch]$Cluster) {
    try {
        $out = @(& $Read)
        if ($out.Count -ne 1) { throw (New-Fault DrydockNotOneValue "a part answered $($out.Count) values") }
        [ordered]@{ ok = $true; value = $out[0] }
    } catch {
        $message = "$($_.Exception.Message)"
        if ($message.Length -gt 500) { $message = $message.Substring(0, 500) }
        $gap = Get-Gap $_
        # The service may have stopped in between. Where that cannot be told, the first error stands.
        if ($Cluster -and $gap -eq 'Failed') { try { if ((Get-ClusterServiceState) -ne 'Running') { $gap = 'ClusterServiceStopped' } } catch { Write-Verbose 'service not known' } }
        [ordered]@{ ok = $false; gap = $gap; category = "$($_.CategoryInfo.Category)"; id = "$($_.FullyQualifiedErrorId)"; message = $message }
    }
}

# AccessDenied, NotThere or Failed: by type, code and id, never by a message, which is localised.
function Get-Gap([System.Management.Automation.ErrorRecord]$Record) {
    # The cluster's cmdlets say AuthenticationError.
    if ("$($Record.CategoryInfo.Category)" -in 'PermissionDenied', 'AuthenticationError', 'SecurityError') { return 'AccessDenied' }
    if ("$($Record.FullyQualifiedErrorId)" -ceq 'DrydockServiceStopped') { return 'ClusterServiceStopped' }
    if ("$($Record.FullyQualifiedErrorId)" -ceq 'DrydockNotThere') { return 'NotThere' }
    for ($why = $Record.Exception; $null -ne $why; $why = $why.InnerException) {
        if ($why -is [System.UnauthorizedAccessException] -or $why -is [System.Security.SecurityException]) { return 'AccessDenied' }
        # E_ACCESSDENIED; ERROR_ACCESS_DENIED as a Win32 error; WBEM_E_ACCESS_DENIED.
        if ($why.HResult -eq -2147024891 -or $why.HResult -eq -2147217405) { return 'AccessDenied' }
        if ($null -ne $why.PSObject.Properties['NativeErrorCode'] -and "$($why.NativeErrorCode)" -in '5', 'AccessDenied') { return 'AccessDenied' }
        if ($why -is [System.Management.Automation.CommandNotFoundException] -or $why -is [System.Management.Automation.ItemNotFoundException] -or $why -is [System.Management.Automation.DriveNotFoundException]) { return 'NotThere' }
        # HRESULT_FROM_WIN32(1060), the service does not exist; WBEM_E_INVALID_NAMESPACE, WBEM_E_INVALID_CLASS.
        if ($why.HResult -in -2147023836, -2147217394, -2147217392) { return 'NotThere' }
    }
    'Failed'
}

# The word of an enum: its own name, or that of its number; a number without a word as its text.
function Get-Word($Value, $Words) {
    if ($null -eq $Value) { return 'Unknown' }
    if ($Value -is [Enum]) { $Value = "$Value" }
    $text = "$Value"
    # CIM has no sign: -1 arrives as 4294967295.
    if ($text -eq '4294967295' -or $text -eq '65535') { $text = '-1' }
    if ($Words.ContainsKey($text)) { return $Words[$text] }
    $text
}

# Words of a set of flags: `Isolated, DrainInProgress`.
function Get-FlagWords($Value, $Words, [string]$None) {
    if ($null -eq $Value) { return 'Unknown' }
    $number = 0L
    if (-not [long]::TryParse("$Value", [ref]$number)) { return "$Value" }
    if ($number -eq 0) { return $None }
    $rest = $number
    $found = @(foreach ($bit in @($Words.Keys | Sort-Object { [long]$_ })) { if (($number -band [long]$bit) -ne 0) { $rest = $rest -band (-bnot [long]$bit); $Words[$bit] } })
    if ($rest -ne 0) { return "$Value" }
    $found -join ', '
}

# What a command answers; asked once only while a probe keeps answers in $DrydockOnce, so that its parts are of one moment and cost one question.
# Orders keep nothing.
function Get-Once([string]$Command) {
    $kept = Get-Variable -Name DrydockOnce -ValueOnly -ErrorAction SilentlyContinue
    if ($null -eq $kept) { return & $Command }
    if (-not $kept.ContainsKey($Command)) { $kept[$Command] = @(& $Command) }
    $kept[$Command]
}

function Get-OperatingSystem { Get-CimInstance -ClassName Win32_OperatingSystem -Property LocalDateTime, FreePhysicalMemory }
function Get-NodeName { "$env:COMPUTERNAME".ToUpperInvariant() }

# The SMBIOS UUID in lower case. Boards without one show zeros or ones, and two such machines cannot be told apart.
function Get-MachineUuid {
    $uuid = "$((Get-CimInstance -ClassName Win32_ComputerSystemProduct -Property UUID).UUID)".ToLowerInvariant()
    if ($uuid -cnotmatch '\A[0-9a-f-]{36}\z' -or $uuid -match '\A[0-]+\z' -or $uuid -match '\A[f-]+\z') { throw (New-Fault DrydockNotThere "the SMBIOS UUID is '$uuid'") }
    $uuid
}

# Running, Stopped or Disabled. A service that starts or stops is not running.
function Get-ClusterServiceState {
    try { $service = Get-Service -Name clussvc } catch {
        # A network logon without rights may not list services (Microsoft: Service Security and Access Rights). It may be allowed to ask the cluster, and one
        # that answers here runs; of one that does not nothing is known.
        $denied = $_
        if ((Get-Gap $denied) -ne 'AccessDenied') { throw }
        try { [void](Get-Once 'Get-Cluster') } catch { throw $denied }
        return 'Running'
    }
    if ((Get-Word $service.Status @{ '4' = 'Running' }) -eq 'Running') { return 'Running' }
    if ((Get-Word (Get-PropertyOrNull $service 'StartType') @{ '4' = 'Disabled' }) -eq 'Disabled') { return 'Disabled' }
    'Stopped'
}

function Assert-ClusterService { if ((Get-Once 'Get-ClusterServiceState') -ne 'Running') { throw (New-Fault DrydockServiceStopped 'the cluster service does not run') } }

# Cluster and node id, asked of the cluster service.
function Get-LiveIds {
    Assert-ClusterService
    $cluster = "$((Get-Once 'Get-Cluster').Id)".Trim('{', '}').ToLowerInvariant()
    $name = Get-NodeName
    $self = @(Get-Once 'Get-ClusterNode' | Where-Object { "$($_.Name)" -eq $name })
    if ($self.Count -ne 1) { throw (New-Fault DrydockNotThere "the cluster knows $($self.Count) nodes named $name") }
    @{ cluster = $cluster; node = "$($self[0].Id)".ToLowerInvariant() }
}

# Who the node is. While its cluster service does not answer, what our own key remembers for this same machine: fences and Cancels must be heard then, too.
function Get-Identity {
    $identity = [ordered]@{ name = Get-NodeName; machine = Get-MachineUuid; cluster = $null; node = $null }
    try {
        $ids = Get-LiveIds
        $identity.cluster = $ids.cluster
        $identity.node = $ids.node
    } catch {
        $kept = ConvertTo-MemoryParts 'Identity' 3
        if ($null -eq $kept -or $kept[0] -cne $identity.machine) { throw }
        $identity.cluster = $kept[1]
        $identity.node = $kept[2]
    }
    $identity
}

function Get-Build {
    $values = Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    # A text and a DWORD (Microsoft: Azure Local supportability, "Found different OS build number between cluster nodes").
    [ordered]@{ build = [int]"$(Get-PropertyOrNull $values 'CurrentBuildNumber')"; revision = [int]"$(Get-PropertyOrNull $values 'UBR')" }
}

function Get-RegistryNumber([string]$Key, [string]$Name) {
    if (-not (Test-Path -LiteralPath $Key)) { return $null }
    $value = Get-PropertyOrNull (Get-ItemProperty -LiteralPath $Key) $Name
    if ($null -eq $value) { return $null }
    # A DWORD above 2^31 arrives as a negative Int32.
    [long]$value -band 0xFFFFFFFFL
}

# Writes 0, and makes the key where it is missing; never with -Force, which would empty one that exists.
function Set-RegistryZero([string]$Key, [string]$Name) {
    if (-not (Test-Path -LiteralPath $Key)) { [void](New-Item -Path $Key) }
    [void](New-ItemProperty -LiteralPath $Key -Name $Name -Value 0 -PropertyType DWord -Force)
    Invoke-RegistryFlush ($Key -replace '^HKLM:\\', '')
}

function Get-RefsKey { 'HKLM:\SYSTEM\CurrentControlSet\Control\FileSystem' }
function Get-VidKey { 'HKLM:\SYSTEM\CurrentControlSet\Services\Vid\Parameters' }

# Whether Windows Setup or servicing is at work, and whether a restart is pending.
# Processes of an upgrade: SetupHost, SetupPrep, WindowsUpdateBox, and windeploy after the restart; ServicingInProgress is 2 while servicing works.
function Get-Setup {
    $servicing = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing'
    $running = $false
    foreach ($name in Get-ProcessNames) { if ($name -in 'SetupHost', 'SetupPrep', 'WindowsUpdateBox', 'windeploy') { $running = $true } }
    if ((Get-RegistryNumber "$servicing\Interface" 'ServicingInProgress') -eq 2) { $running = $true }
    $pending = $false
    foreach ($key in "$servicing\RebootPending", "$servicing\PackagesPending", 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired') {
        if (Test-Path -LiteralPath $key) { $pending = $true }
    }
    [ordered]@{ running = $running; pending = $pending }
}

# Percent of the upgrade's part before the restart; nothing unless one is under way.
function Get-SetupPercent { Get-RegistryNumber 'HKLM:\SYSTEM\Setup\MoSetup\Volatile' 'SetupProgress' }

function Get-GroupState($Group) { Get-Word $Group.State @{ '0' = 'Online'; '1' = 'Offline'; '2' = 'Failed'; '3' = 'PartialOnline'; '4' = 'Pending'; '-1' = 'Unknown' } }
# In upper case; empty while a group has no owner.
function Get-OwnerName($Group) { "$(Get-PropertyOrNull (Get-PropertyOrNull $Group 'OwnerNode') 'Name')".ToUpperInvariant() }
function Get-MemberState($Node) { Get-Word $Node.State @{ '0' = 'Up'; '1' = 'Down'; '2' = 'Paused'; '3' = 'Joining'; '-1' = 'Unknown' } }

# The cluster as this node's cluster service sees it.
function Get-View {
    Assert-ClusterService
    $drains = @{ '0' = 'NotInitiated'; '1' = 'InProgress'; '2' = 'Completed'; '3' = 'Failed' }
    $bits = @{ '1' = 'Isolated'; '2' = 'Quarantined'; '4' = 'DrainInProgress'; '8' = 'DrainCompleted'; '16' = 'DrainFailed'; '32' = 'AvoidPlacement' }
    $cluster = Get-Once 'Get-Cluster'
    $nodes = @(Get-Once 'Get-ClusterNode')
    if ($nodes.Count -eq 0) { throw (New-Fault DrydockNotThere 'the cluster shows no node') }
    $roles = @{}
    foreach ($group in @(Get-Once 'Get-ClusterGroup')) {
        # Offline groups have an owner too (Available Storage always has).
        if ((Get-GroupState $group) -notin 'Online', 'PartialOnline', 'Pending') { continue }
        $owner = Get-OwnerName $group
        $roles[$owner] = 1 + $(if ($roles.ContainsKey($owner)) { $roles[$owner] } else { 0 })
    }
    $members = @(foreach ($node in $nodes) {
        $name = "$($node.Name)".ToUpperInvariant()
        [ordered]@{
            name = $name
            state = Get-MemberState $node
            drain = Get-Word (Get-PropertyOrNull $node 'DrainStatus') $drains
            information = Get-FlagWords (Get-PropertyOrNull $node 'StatusInformation') $bits 'Normal'
            dynamicWeight = [int](Get-PropertyOrNull $node 'DynamicWeight')
            roles = $(if ($roles.ContainsKey($name)) { $roles[$name] } else { 0 })
        }
    })
    $witness = [ordered]@{ kind = 'None'; dynamicWeight = [int](Get-PropertyOrNull $cluster 'WitnessDynamicWeight') }
    # The quorum type does not tell whether there is a witness; its resource does.
    $resource = Get-PropertyOrNull (Get-ClusterQuorum) 'QuorumResource'
    if ($null -ne $resource) { $witness.kind = if ((Get-Word $resource.State @{ '2' = 'Online' }) -eq 'Online') { 'Online' } else { 'Offline' } }
    [ordered]@{ cluster = "$($cluster.Id)".Trim('{', '}').ToLowerInvariant(); members = $members; witness = $witness }
}

# Free memory, and what each running virtual machine of the cluster needs here, in MiB. A node can tell it of itself only: a session has no
# credentials for a second hop.
function Get-Room {
    Assert-ClusterService
    $name = Get-NodeName
    # In KiB (Microsoft: Win32_OperatingSystem class).
    $free = [long][Math]::Floor((Get-Once 'Get-OperatingSystem').FreePhysicalMemory / 1024)
    $here = @(Get-Once 'Get-ClusterGroup' | Where-Object {
        (Get-Word (Get-PropertyOrNull $_ 'GroupType') @{ '111' = 'VirtualMachine' }) -ceq 'VirtualMachine' -and
        (Get-OwnerName $_) -eq $name -and (Get-GroupState $_) -cin 'Online', 'PartialOnline', 'Pending'
    })
    $needs = @()
    # Without such a group Hyper-V need not be there at all.
    if ($here.Count -gt 0) {
        foreach ($vm in @(Get-VM)) {
            $clustered = Get-PropertyOrNull $vm 'IsClustered'
            if ("$clustered" -ne 'False' -and (Get-Word $vm.State @{ '3' = 'Off'; '6' = 'Saved' }) -cnotin 'Off', 'Saved') { $needs += [long][Math]::Ceiling($vm.MemoryAssigned / 1MB) }
        }
        if ($needs.Count -lt $here.Count) { throw (New-Fault DrydockRoles "$($here.Count) groups run here, and $($needs.Count) virtual machines") }
    }
    [ordered]@{ freeMib = $free; rolesMib = $needs }
}

# Nodes whose loss the cluster says it would not survive (Microsoft: WillOfflineLoseQuorum method of the MSCluster_Node class).
function Get-QuorumLosers([string]$Name) {
    Assert-ClusterService
    $nodes = @(Get-CimInstance -Namespace root/MSCluster -ClassName MSCluster_Node)
    if ($Name) { $nodes = @($nodes | Where-Object { "$($_.Name)" -eq $Name }) }
    if ($nodes.Count -eq 0) { throw (New-Fault DrydockNotThere "MSCluster_Node shows no such node") }
    foreach ($node in $nodes) {
        # A node that is down takes no vote with it.
        if ((Get-MemberState $node) -eq 'Down') { continue }
        $answer = Get-PropertyOrNull (Invoke-CimMethod -InputObject $node -MethodName WillOfflineLoseQuorum) 'ReturnValue'
        if ("$answer" -notin 'True', 'False') { throw (New-Fault DrydockNotABoolean "WillOfflineLoseQuorum answered '$answer'") }
        if ("$answer" -eq 'True') { "$($node.Name)".ToUpperInvariant() }
    }
}

function Get-HealthWord($Value) { Get-Word $Value @{ '0' = 'Healthy'; '1' = 'Warning'; '2' = 'Unhealthy'; '5' = 'Unknown' } }

# OperationalStatus is a list. The words are those of the Storage module, which spells code 11 in two ways.
function Get-OperationalWords($Values, $More) {
    $words = @{
        '0' = 'Unknown'; '1' = 'Other'; '2' = 'OK'; '3' = 'Degraded'; '4' = 'Stressed'; '5' = 'Predictive Failure'; '6' = 'Error'; '7' = 'Non-Recoverable Error'
        '8' = 'Starting'; '9' = 'Stopping'; '10' = 'Stopped'; '11' = 'In Service'; '12' = 'No Contact'; '13' = 'Lost Communication'; '14' = 'Aborted'
        '15' = 'Dormant'; '16' = 'Supporting Entity in Error'; '17' = 'Completed'; '18' = 'Power Mode'; '19' = 'Relocating'
    }
    foreach ($key in $More.Keys) { $words[$key] = $More[$key] }
    @(foreach ($value in @($Values)) { if ($null -ne $value) { Get-Word $value $words } })
}

function Get-DiskFacts {
    $more = @{ '11' = 'InService'; '53250' = 'Detached'; '53251' = 'Incomplete'; '53275' = 'Suboptimal'; '53284' = 'No Redundancy' }
    @(foreach ($disk in @(Get-VirtualDisk)) {
        [ordered]@{ name = "$($disk.FriendlyName)"; health = Get-HealthWord $disk.HealthStatus; operational = @(Get-OperationalWords $disk.OperationalStatus $more) }
    })
}

function Get-JobFacts {
    $states = @{
        '2' = 'New'; '3' = 'Starting'; '4' = 'Running'; '5' = 'Suspended'; '6' = 'ShuttingDown'; '7' = 'Completed'; '8' = 'Terminated'; '9' = 'Killed'
        '10' = 'Exception'; '11' = 'Service'; '12' = 'QueryPending'
    }
    @(foreach ($job in @(Get-StorageJob)) {
        $percent = [int](Get-PropertyOrNull $job 'PercentComplete')
        [ordered]@{ name = "$($job.Name)"; state = (Get-Word $job.JobState $states) -replace ' ', ''; percent = [Math]::Max(0, [Math]::Min(100, $percent)) }
    })
}

# The pool of the cluster: the one that is not primordial. A stopped cluster service hides it, so none is never an answer.
function Get-ClusterPool {
    $pools = @(Get-StoragePool -IsPrimordial $false)
    $clustered = @($pools | Where-Object { "$(Get-PropertyOrNull $_ 'IsClustered')" -eq 'True' })
    if ($clustered.Count -gt 0) { $pools = $clustered }
    if ($pools.Count -ne 1) { throw (New-Fault DrydockNotThere "$($pools.Count) storage pools") }
    $pools[0]
}

function Get-PoolFacts {
    $pool = Get-ClusterPool
    # The number, never the display text, which depends on the system that reads it.
    $version = $null
    $raw = Get-PropertyOrNull $pool 'CimInstanceProperties'
    if ($null -ne $raw -and $null -ne $raw['Version']) { $version = $raw['Version'].Value } else { $version = Get-PropertyOrNull $pool 'Version' }
    $number = 0
    if (-not [int]::TryParse("$version", [ref]$number)) { $number = $null }
    [ordered]@{
        health = Get-HealthWord $pool.HealthStatus
        operational = @(Get-OperationalWords $pool.OperationalStatus @{ '53248' = 'Read-only'; '53249' = 'Incomplete' })
        readOnly = ("$($pool.IsReadOnly)" -eq 'True')
        version = $number
    }
}

# The pool's physical disks per node. A node that is down connects none: where exactly one member has none, the disks of nobody are its own.
function Get-DriveFacts {
    Assert-ClusterService
    $modes = @{ '53270' = 'In Maintenance Mode'; '53276' = 'Starting Maintenance Mode'; '53277' = 'Stopping Maintenance Mode' }
    $owner = @{}
    foreach ($node in @(Get-StorageNode)) {
        $name = ("$($node.Name)" -split '\.')[0].ToUpperInvariant()
        foreach ($disk in @(Get-PhysicalDisk -StorageNode $node -PhysicallyConnected)) { $owner["$($disk.UniqueId)"] = $name }
    }
    $count = [ordered]@{}
    foreach ($node in @(Get-ClusterNode)) { $count["$($node.Name)".ToUpperInvariant()] = [ordered]@{ node = "$($node.Name)".ToUpperInvariant(); total = 0; good = 0; maintenance = 0 } }
    $nobodys = @()
    $disks = @(Get-PhysicalDisk -StoragePool (Get-ClusterPool))
    if ($disks.Count -eq 0) { throw (New-Fault DrydockNotThere 'the pool shows no disk') }
    foreach ($disk in $disks) {
        $id = "$($disk.UniqueId)"
        if ($owner.ContainsKey($id) -and $count.Contains($owner[$id])) { Add-Drive $count[$owner[$id]] $disk $modes } else { $nobodys += $disk }
    }
    if ($nobodys.Count -gt 0) {
        $without = @($count.Values | Where-Object { $_.total -eq 0 })
        if ($without.Count -ne 1) { throw (New-Fault DrydockDrivesOfNobody "$($nobodys.Count) disks belong to no node that can be told") }
        foreach ($disk in $nobodys) { Add-Drive $without[0] $disk $modes }
    }
    @($count.Values)
}

function Add-Drive($Count, $Disk, $Modes) {
    $words = @(Get-OperationalWords $Disk.OperationalStatus $Modes)
    $Count.total++
    if (@($words | Where-Object { $_ -like '*Maintenance Mode' }).Count -gt 0) { $Count.maintenance++; return }
    if ((Get-HealthWord $Disk.HealthStatus) -eq 'Healthy' -and $words.Count -eq 1 -and $words[0] -eq 'OK') { $Count.good++ }
}

# All of it, or an error: what a guard judges.
function Get-StorageFacts { [ordered]@{ disks = @(Get-DiskFacts); jobs = @(Get-JobFacts); drives = @(Get-DriveFacts); pool = Get-PoolFacts } }

# What the platform said, with its code in front where there is one: codes are not localised.
function Get-PlatformWords([System.Management.Automation.ErrorRecord]$Record) {
    $message = "$($Record.Exception.Message)"
    for ($why = $Record.Exception; $null -ne $why; $why = $why.InnerException) {
        $native = $why.PSObject.Properties['NativeErrorCode']
        if ($null -ne $native) { $message = "$([int]$native.Value): $message"; break }
    }
    if ($message.Length -gt 500) { $message = $message.Substring(0, 500) }
    $message
}

# Feature updates that the update agent offers: those of the category Upgrades, which a search without DeploymentAction does not show
# (a public project's notes on unattended in-place upgrades). Older agents refuse that criterion with WU_E_INVALID_CRITERIA, and have BrowseOnly for what is optional.
function Find-FeatureUpdates($Searcher) {
    $upgrades = "IsInstalled=0 and Type='Software' and CategoryIDs contains '3689BDC8-B205-4AF4-8D4A-A63924C5E9D5'"
    try { $found = $Searcher.Search("$upgrades and DeploymentAction='Installation' or $upgrades and DeploymentAction='OptionalInstallation'") }
    catch {
        if ((Get-ComCode $_) -ne 0x80240032L) { throw }
        $found = $Searcher.Search("$upgrades or $upgrades and BrowseOnly=1")
    }
    foreach ($update in $found.Updates) { $update }
}

# One update by its id, offered still or installed as far as it goes without a restart: first from what the agent knows by itself, as the network need
# not be there. The id is a GUID: no other text gets into the criteria.
function Find-StagedUpdate($Searcher, [string]$Id) {
    if ($Id -cnotmatch '\A[0-9a-fA-F-]{36}\z') { throw (New-Fault DrydockDamagedState "'$Id' is no update's id") }
    foreach ($online in $false, $true) {
        $Searcher.Online = $online
        try { $updates = Find-UpdateById $Searcher $Id } catch { if ($online) { throw }; continue }
        foreach ($update in $updates) { if ("$($update.Identity.UpdateID)" -eq $Id) { return $update } }
    }
    throw (New-Fault DrydockNotStaged 'the agent does not show the staged update')
}

function Find-UpdateById($Searcher, [string]$Id) {
    $offered = "UpdateID='$Id' and Type='Software' and IsInstalled=0"
    $waiting = "UpdateID='$Id' and Type='Software' and IsInstalled=1 and RebootRequired=1"
    try {
        $found = $Searcher.Search("$offered and DeploymentAction='Installation' or $offered and DeploymentAction='OptionalInstallation' or " +
            "$waiting and DeploymentAction='Installation' or $waiting and DeploymentAction='OptionalInstallation'")
    } catch {
        if ((Get-ComCode $_) -ne 0x80240032L) { throw }
        $found = $Searcher.Search("$offered or $offered and BrowseOnly=1 or $waiting or $waiting and BrowseOnly=1")
    }
    foreach ($update in $found.Updates) { $update }
}

# The HRESULT behind an error, as a positive number.
function Get-ComCode([System.Management.Automation.ErrorRecord]$Record) {
    $code = 0L
    for ($why = $Record.Exception; $null -ne $why; $why = $why.InnerException) { $code = [long]$why.HResult -band 0xFFFFFFFFL }
    $code
}

# Whether the Azure Local solution is deployed: its service is there, which Microsoft's own environment checker takes for the sign, or its command answers.
# Either alone says a certain yes, also where the other one fails; a no needs both.
function Test-Solution {
    $name = 'Azure Stack HCI Orchestrator Service'
    $failed = $null
    try { if (@(Get-Service | Where-Object { $_.Name -eq $name -or $_.DisplayName -eq $name }).Count -gt 0) { return $true } } catch { $failed = $_ }
    if (Get-Command -Name Get-StampInformation -ErrorAction SilentlyContinue) {
        if (@(Get-StampInformation | Where-Object { $null -ne $_ }).Count -gt 0) { return $true }
    }
    if ($null -ne $failed) { throw $failed }
    $false
}
