# Stub of the module Storage: CIM instances whose words come from numbers by the module's types. Parameters are the documented ones
# (Microsoft: Storage module reference, Windows Server 2022); numbers and words are those of the MSFT_* class pages and of the module's type data.

Set-StrictMode -Version 2.0

$script:Health = @{ Healthy = 0; Warning = 1; Unhealthy = 2; Unknown = 5 }
$script:Operational = @{
    'Unknown' = 0; 'OK' = 2; 'Degraded' = 3; 'InService' = 11; 'In Service' = 11; 'Lost Communication' = 13; 'Read-only' = 0xD000; 'Detached' = 0xD002; 'Incomplete' = 0xD003
    'Suboptimal' = 0xD01B; 'No Redundancy' = 0xD024; 'Failed Media' = 53252; 'In Maintenance Mode' = 53270; 'Starting Maintenance Mode' = 53276
    'Stopping Maintenance Mode' = 53277; 'Transient Error' = 53274
}
$script:Jobs = @{ New = 2; Starting = 3; Running = 4; Suspended = 5; ShuttingDown = 6; Completed = 7; Terminated = 8; Killed = 9; Exception = 10; Service = 11; QueryPending = 12 }
$script:Space = 'ROOT/Microsoft/Windows/Storage'

function Get-Raw($Health, $Operational) {
    [uint16[]]$numbers = @(foreach ($word in @($Operational)) { if ($script:Operational.ContainsKey($word)) { $script:Operational[$word] } else { 1 } })
    @{ HealthStatus = [uint16]$script:Health[$Health]; OperationalStatus = $numbers }
}

# OperationalStatus shows one word as itself and several as a list.
function Get-Words($Operational) { if (@($Operational).Count -eq 1) { @($Operational)[0] } else { [string[]]@($Operational) } }

function New-Pool($Picture) {
    $p = $Picture.pool
    $raw = Get-Raw $p.health $p.operational
    $raw.Version = [uint16]$p.version
    $raw.ReadOnlyReason = [uint16]@{ None = 1; Policy = 2; Incomplete = 0 }[$p.reason]
    New-StubCim $script:Space 'MSFT_StoragePool' ([ordered]@{
        FriendlyName = "S2D on $($Picture.name)"; UniqueId = '{pool}'; ObjectId = '{pool}'; IsPrimordial = $false; IsClustered = $true; HealthStatus = $p.health
        OperationalStatus = (Get-Words $p.operational); IsReadOnly = [bool]$p.readonly; ReadOnlyReason = $p.reason
        Version = $(if ($p.version -ge 28) { 'Windows Server 2025' } else { 'Windows Server 2022' }); Size = [uint64]64TB; AllocatedSize = [uint64]20TB
        ProvisioningTypeDefault = 'Fixed'; RetireMissingPhysicalDisks = 'Never'
    }) $raw
}

function New-Drive($Picture, $Row) {
    $raw = Get-Raw $Row.health $Row.operational
    $raw.Usage = [uint16]1
    $raw.MediaType = [uint16]4
    $raw.BusType = [uint16]17
    New-StubCim $script:Space 'MSFT_PhysicalDisk' ([ordered]@{
        FriendlyName = 'NVMe Model 1'; SerialNumber = $Row.serial; UniqueId = "eui.$($Row.serial)"; DeviceId = "$($Row.device)"; HealthStatus = $Row.health
        OperationalStatus = (Get-Words $Row.operational); OperationalDetails = $null; Usage = 'Auto-Select'; MediaType = 'SSD'; BusType = 'NVMe'; CanPool = $false
        CannotPoolReason = 'In a Pool'; Size = [uint64]4TB; AllocatedSize = [uint64]1TB; StoragePoolUniqueId = '{pool}'
    }) $raw
}

# The system drive of the node is a physical disk as well, and in no pool.
function New-SystemDrive($Picture) {
    $raw = Get-Raw 'Healthy' 'OK'
    New-StubCim $script:Space 'MSFT_PhysicalDisk' ([ordered]@{
        FriendlyName = 'BOSS'; SerialNumber = "$($Picture.me)-boot"; UniqueId = "boot.$($Picture.me)"; DeviceId = '0'; HealthStatus = 'Healthy'; OperationalStatus = 'OK'
        OperationalDetails = $null; Usage = 'Auto-Select'; MediaType = 'SSD'; BusType = 'SATA'; CanPool = $false; CannotPoolReason = 'Insufficient Capacity'
        Size = [uint64]480GB; AllocatedSize = [uint64]480GB; StoragePoolUniqueId = $null
    }) $raw
}

function Get-StoragePool {
    [CmdletBinding(PositionalBinding = $false, DefaultParameterSetName = 'ByFriendlyName')]
    param(
        [switch]$AsJob,
        [Alias('Session')][psobject[]]$CimSession,
        [Parameter(Position = 0, ValueFromPipelineByPropertyName, ParameterSetName = 'ByFriendlyName')][string[]]$FriendlyName,
        [ValidateSet('Healthy', 'Warning', 'Unhealthy', 'Unknown')][string[]]$HealthStatus,
        [psobject[]]$IsPrimordial,
        [Parameter(ValueFromPipelineByPropertyName, ParameterSetName = 'ByName')][string[]]$Name,
        [Parameter(ValueFromPipelineByPropertyName, ParameterSetName = 'ByUsage')][string[]]$OtherUsageDescription,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByPhysicalDisk')][psobject]$PhysicalDisk,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByResiliencySetting')][psobject]$ResiliencySetting,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByStorageJob')][psobject]$StorageJob,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByStorageNode')][psobject]$StorageNode,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByStorageSubSystem')][psobject]$StorageSubSystem,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByStorageTier')][psobject]$StorageTier,
        [int]$ThrottleLimit,
        [Parameter(ValueFromPipelineByPropertyName, ParameterSetName = 'ByUniqueId')][Alias('Id')][string[]]$UniqueId,
        [Parameter(ValueFromPipelineByPropertyName, ParameterSetName = 'ByFriendlyName')][Parameter(ValueFromPipelineByPropertyName, ParameterSetName = 'ByUsage')][ValidateSet('Unknown', 'Other', 'Unrestricted', 'ReservedForComputerSystem', 'ReservedAsDeltaReplicaContainer', 'ReservedForMigrationServices', 'ReservedForLocalReplicationServices', 'ReservedForRemoteReplicationServices', 'ReservedForSparing')][string[]]$Usage,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByVirtualDisk')][psobject]$VirtualDisk,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByVolume')][psobject]$Volume)
    process {
        Assert-StubHere $PSBoundParameters
        $picture = Invoke-Platform 'storage' @{} $PSCmdlet
        if ($null -eq $picture) { return }
        $pools = @(if ($picture.clustered) { New-Pool $picture })
        $raw = Get-Raw 'Healthy' 'OK'
        $pools += New-StubCim $script:Space 'MSFT_StoragePool' ([ordered]@{
            FriendlyName = 'Primordial'; UniqueId = '{primordial}'; ObjectId = '{primordial}'; IsPrimordial = $true; IsClustered = $false; HealthStatus = 'Healthy'
            OperationalStatus = 'OK'; IsReadOnly = $false; ReadOnlyReason = 'None'; Version = 'Windows Server 2022'; Size = [uint64]480GB; AllocatedSize = [uint64]480GB
        }) $raw
        foreach ($pool in $pools) {
            if ($PSBoundParameters.ContainsKey('IsPrimordial') -and @($IsPrimordial) -notcontains $pool.IsPrimordial) { continue }
            if ($PSBoundParameters.ContainsKey('HealthStatus') -and $pool.HealthStatus -notin $HealthStatus) { continue }
            if (-not (Test-StubLike $pool.FriendlyName $FriendlyName)) { continue }
            if ($PSBoundParameters.ContainsKey('UniqueId') -and $pool.UniqueId -notin $UniqueId) { continue }
            $pool
        }
    }
}

function Get-VirtualDisk {
    [CmdletBinding(PositionalBinding = $false, DefaultParameterSetName = 'ByFriendlyName')]
    param(
        [switch]$AsJob,
        [Alias('Session')][psobject[]]$CimSession,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByDisk')][psobject]$Disk,
        [Parameter(Position = 0, ValueFromPipelineByPropertyName, ParameterSetName = 'ByFriendlyName')][string[]]$FriendlyName,
        [ValidateSet('Healthy', 'Warning', 'Unhealthy', 'Unknown')][string[]]$HealthStatus,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByInitiatorId')][psobject]$InitiatorId,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByInitiatorPort')][psobject]$InitiatorPort,
        [psobject[]]$IsSnapshot,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByMaskingSet')][psobject]$MaskingSet,
        [Parameter(ValueFromPipelineByPropertyName, ParameterSetName = 'ByName')][string[]]$Name,
        [Parameter(ParameterSetName = 'ByPhysicalDisk')][switch]$NoRedundancy,
        [string[]]$OtherUsageDescription,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByPhysicalDisk')][psobject]$PhysicalDisk,
        [Parameter(ParameterSetName = 'ByPhysicalDisk')][uint64]$PhysicalRangeMax,
        [Parameter(ParameterSetName = 'ByPhysicalDisk')][uint64]$PhysicalRangeMin,
        [Parameter(ParameterSetName = 'BySourceVirtualDisk')][psobject]$SourceVirtualDisk,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByStorageJob')][psobject]$StorageJob,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByStorageNode')][psobject]$StorageNode,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByStoragePool')][psobject]$StoragePool,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByStorageSubSystem')][psobject]$StorageSubSystem,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByStorageTier')][psobject]$StorageTier,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByTargetPort')][psobject]$TargetPort,
        [Parameter(ParameterSetName = 'ByTargetVirtualDisk')][psobject]$TargetVirtualDisk,
        [int]$ThrottleLimit,
        [Parameter(ValueFromPipelineByPropertyName, ParameterSetName = 'ByUniqueId')][Alias('Id')][string[]]$UniqueId,
        [ValidateSet('Unknown', 'Other', 'Unrestricted', 'ReservedForComputerSystem', 'ReservedForReplicationServices', 'ReservedForMigrationServices', 'LocalReplicaSource', 'RemoteReplicaSource', 'LocalReplicaTarget', 'RemoteReplicaTarget', 'LocalReplicaSourceOrTarget', 'RemoteReplicaSourceOrTarget', 'DeltaReplicaTarget', 'ElementComponent', 'ReservedAsPoolContributer', 'CompositeVolumeMember', 'CompositeVirtualDiskMember', 'ReservedForSparing')][string[]]$Usage)
    process {
        Assert-StubHere $PSBoundParameters
        $picture = Invoke-Platform 'storage' @{} $PSCmdlet
        # Without the cluster service the clustered disks are out of reach, and nothing says so.
        if ($null -eq $picture -or -not $picture.clustered) { return }
        foreach ($disk in $picture.disks) {
            if (-not (Test-StubLike $disk.name $FriendlyName)) { continue }
            if ($PSBoundParameters.ContainsKey('HealthStatus') -and $disk.health -notin $HealthStatus) { continue }
            $raw = Get-Raw $disk.health $disk.operational
            $raw.DetachedReason = [uint16]@{ None = 1; Incomplete = 4 }[$disk.detached]
            New-StubCim $script:Space 'MSFT_VirtualDisk' ([ordered]@{
                FriendlyName = $disk.name; Name = ''; UniqueId = "vd-$($disk.name)"; ObjectId = "vd-$($disk.name)"; HealthStatus = $disk.health
                OperationalStatus = (Get-Words $disk.operational); DetachedReason = $disk.detached; IsManualAttach = $true; Access = 'Read/Write'; Size = [uint64]8TB
                AllocatedSize = [uint64]8TB; FootprintOnPool = [uint64]24TB; ProvisioningType = 'Fixed'; ResiliencySettingName = 'Mirror'; NumberOfDataCopies = [uint16]3
                PhysicalDiskRedundancy = [uint16]2; IsSnapshot = $false
            }) $raw
        }
    }
}

function Get-StorageJob {
    [CmdletBinding(PositionalBinding = $false, DefaultParameterSetName = 'ByFriendlyName')]
    param(
        [Parameter(ParameterSetName = 'ByUniqueId')][Parameter(ParameterSetName = 'ByVirtualDisk')][Parameter(ParameterSetName = 'ByStoragePool')][Parameter(ParameterSetName = 'ByVolume')][Parameter(ParameterSetName = 'ByDisk')][Parameter(ParameterSetName = 'BySubsystem')][switch]$AsJob,
        [Parameter(ParameterSetName = 'ByUniqueId')][Parameter(ParameterSetName = 'ByVirtualDisk')][Parameter(ParameterSetName = 'ByStoragePool')][Parameter(ParameterSetName = 'ByVolume')][Parameter(ParameterSetName = 'ByDisk')][Parameter(ParameterSetName = 'BySubsystem')][Alias('Session')][psobject[]]$CimSession,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByDisk')][psobject]$Disk,
        [Parameter(ParameterSetName = 'ByUniqueId')][Parameter(ParameterSetName = 'ByVirtualDisk')][Parameter(ParameterSetName = 'ByStoragePool')][Parameter(ParameterSetName = 'ByVolume')][Parameter(ParameterSetName = 'ByDisk')][Parameter(ParameterSetName = 'BySubsystem')][ValidateSet('New', 'Starting', 'Running', 'Suspended', 'ShuttingDown', 'Completed', 'Terminated', 'Killed', 'Exception', 'Service', 'QueryPending')][string[]]$JobState,
        [Parameter(ParameterSetName = 'ByVirtualDisk')][Parameter(ParameterSetName = 'ByStoragePool')][string[]]$Name,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByStoragePool')][psobject]$StoragePool,
        [Parameter(ValueFromPipeline, ParameterSetName = 'BySubsystem')][psobject]$StorageSubsystem,
        [Parameter(ParameterSetName = 'ByUniqueId')][Parameter(ParameterSetName = 'ByVirtualDisk')][Parameter(ParameterSetName = 'ByStoragePool')][Parameter(ParameterSetName = 'ByVolume')][Parameter(ParameterSetName = 'ByDisk')][Parameter(ParameterSetName = 'BySubsystem')][int]$ThrottleLimit,
        [Parameter(ValueFromPipelineByPropertyName, ParameterSetName = 'ByUniqueId')][Alias('Id')][string[]]$UniqueId,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByStoragePool')][psobject]$VirtualDisk,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByVolume')][psobject]$Volume)
    process {
        Assert-StubHere $PSBoundParameters
        $picture = Invoke-Platform 'storage' @{} $PSCmdlet
        if ($null -eq $picture -or -not $picture.clustered) { return }
        foreach ($job in $picture.jobs) {
            if ($PSBoundParameters.ContainsKey('JobState') -and $job.state -notin $JobState) { continue }
            if (-not (Test-StubLike $job.name $Name)) { continue }
            $state = if ($job.state -eq 'ShuttingDown') { 'Shutting Down' } elseif ($job.state -eq 'QueryPending') { 'Query Pending' } else { $job.state }
            $raw = @{ JobState = [uint16]$script:Jobs[$job.state]; OperationalStatus = [uint16[]]@(2) }
            New-StubCim $script:Space 'MSFT_StorageJob' ([ordered]@{
                Name = $job.name; UniqueId = "job-$($job.name)"; JobState = $state; PercentComplete = [uint16]$job.percent; BytesProcessed = [uint64](1GB * $job.percent)
                BytesTotal = [uint64]100GB; ElapsedTime = [timespan]::FromMilliseconds($job.elapsed); OperationalStatus = 'OK'; IsBackgroundTask = $true
                ErrorCode = $null; ErrorDescription = $null; DeleteOnCompletion = $true
            }) $raw
        }
    }
}

function Get-PhysicalDisk {
    [CmdletBinding(PositionalBinding = $false, DefaultParameterSetName = 'ByUniqueId')]
    param(
        [Parameter(ParameterSetName = 'ByUniqueId')][Parameter(ParameterSetName = 'ByObjectId')][Parameter(ParameterSetName = 'ByName')][Parameter(ParameterSetName = 'ByStorageSubsystem')][Parameter(ParameterSetName = 'ByStorageEnclosure')][Parameter(ParameterSetName = 'ByStorageNode')][Parameter(ParameterSetName = 'ByStoragePool')][Parameter(ParameterSetName = 'ByVirtualDisk')][bool]$CanPool,
        [psobject]$CimSession,
        [Parameter(ParameterSetName = 'ByUniqueId')][Parameter(ParameterSetName = 'ByObjectId')][Parameter(ParameterSetName = 'ByName')][Parameter(ParameterSetName = 'ByStorageSubsystem')][Parameter(ParameterSetName = 'ByStorageEnclosure')][Parameter(ParameterSetName = 'ByStorageNode')][Parameter(ParameterSetName = 'ByStoragePool')][Parameter(ParameterSetName = 'ByVirtualDisk')][string]$Description,
        [Parameter(Position = 0, ValueFromPipeline, ParameterSetName = 'ByName')][string]$FriendlyName,
        [Parameter(ParameterSetName = 'ByVirtualDisk')][bool]$HasAllocations,
        [Parameter(ParameterSetName = 'ByUniqueId')][Parameter(ParameterSetName = 'ByObjectId')][Parameter(ParameterSetName = 'ByName')][Parameter(ParameterSetName = 'ByStorageSubsystem')][Parameter(ParameterSetName = 'ByStorageEnclosure')][Parameter(ParameterSetName = 'ByStorageNode')][Parameter(ParameterSetName = 'ByStoragePool')][Parameter(ParameterSetName = 'ByVirtualDisk')][ValidateSet('Healthy', 'Warning', 'Unhealthy', 'Unknown')][string]$HealthStatus,
        [Parameter(Mandatory, ValueFromPipeline, ParameterSetName = 'ByInputObject')][psobject]$InputObject,
        [Parameter(ParameterSetName = 'ByUniqueId')][Parameter(ParameterSetName = 'ByObjectId')][Parameter(ParameterSetName = 'ByName')][Parameter(ParameterSetName = 'ByStorageSubsystem')][Parameter(ParameterSetName = 'ByStorageEnclosure')][Parameter(ParameterSetName = 'ByStorageNode')][Parameter(ParameterSetName = 'ByStoragePool')][Parameter(ParameterSetName = 'ByVirtualDisk')][string]$Manufacturer,
        [Parameter(ParameterSetName = 'ByUniqueId')][Parameter(ParameterSetName = 'ByObjectId')][Parameter(ParameterSetName = 'ByName')][Parameter(ParameterSetName = 'ByStorageSubsystem')][Parameter(ParameterSetName = 'ByStorageEnclosure')][Parameter(ParameterSetName = 'ByStorageNode')][Parameter(ParameterSetName = 'ByStoragePool')][Parameter(ParameterSetName = 'ByVirtualDisk')][string]$Model,
        [Parameter(ParameterSetName = 'ByVirtualDisk')][switch]$NoRedundancy,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByObjectId')][Alias('PhysicalDiskObjectId')][string]$ObjectId,
        [Parameter(ParameterSetName = 'ByStorageNode')][switch]$PhysicallyConnected,
        [Parameter(ParameterSetName = 'ByVirtualDisk')][bool]$SelectedForUse,
        [Parameter(Position = 1, ValueFromPipeline, ParameterSetName = 'ByName')][string]$SerialNumber,
        [Parameter(Mandatory, ValueFromPipeline, ParameterSetName = 'ByStorageEnclosure')][psobject]$StorageEnclosure,
        [Parameter(Mandatory, ValueFromPipeline, ParameterSetName = 'ByStorageNode')][psobject]$StorageNode,
        [Parameter(Mandatory, ValueFromPipeline, ParameterSetName = 'ByStoragePool')][psobject]$StoragePool,
        [Parameter(Mandatory, ValueFromPipeline, ParameterSetName = 'ByStorageSubsystem')][psobject]$StorageSubsystem,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByUniqueId')][Alias('Id')][string]$UniqueId,
        [Parameter(ParameterSetName = 'ByUniqueId')][Parameter(ParameterSetName = 'ByObjectId')][Parameter(ParameterSetName = 'ByName')][Parameter(ParameterSetName = 'ByStorageSubsystem')][Parameter(ParameterSetName = 'ByStorageEnclosure')][Parameter(ParameterSetName = 'ByStorageNode')][Parameter(ParameterSetName = 'ByStoragePool')][Parameter(ParameterSetName = 'ByVirtualDisk')][ValidateSet('Unknown', 'AutoSelect', 'ManualSelect', 'HotSpare', 'Retired', 'Journal')][string]$Usage,
        [Parameter(Mandatory, ValueFromPipeline, ParameterSetName = 'ByVirtualDisk')][psobject]$VirtualDisk,
        [Parameter(ParameterSetName = 'ByVirtualDisk')][uint64]$VirtualRangeMax,
        [Parameter(ParameterSetName = 'ByVirtualDisk')][uint64]$VirtualRangeMin)
    process {
        Assert-StubHere $PSBoundParameters
        $picture = Invoke-Platform 'storage' @{} $PSCmdlet
        if ($null -eq $picture) { return }
        $rows = @(if ($picture.clustered) { $picture.drives })
        $system = $true
        switch ($PSCmdlet.ParameterSetName) {
            'ByStorageNode' {
                $name = ("$($StorageNode.Name)" -split '\.')[0]
                # -PhysicallyConnected: those in that node; without it every one that the node can reach. A node that is down connects none.
                $up = -not $picture.clustered
                foreach ($node in $picture.nodes) { if ($node.name -eq $name -and $node.up) { $up = $true } }
                $rows = @(foreach ($row in $rows) { if ($up -and ($row.node -eq $name -or -not $PhysicallyConnected)) { $row } })
                $system = $name -eq $picture.me
            }
            'ByStoragePool' {
                $system = $false
                if ($StoragePool.UniqueId -ne '{pool}') { $rows = @() }
            }
        }
        $disks = @(foreach ($row in $rows) { New-Drive $picture $row }) + @(if ($system) { New-SystemDrive $picture })
        foreach ($disk in $disks) {
            if ($PSBoundParameters.ContainsKey('HealthStatus') -and $disk.HealthStatus -ne $HealthStatus) { continue }
            if ($PSBoundParameters.ContainsKey('FriendlyName') -and $disk.FriendlyName -notlike $FriendlyName) { continue }
            if ($PSBoundParameters.ContainsKey('SerialNumber') -and $disk.SerialNumber -ne $SerialNumber) { continue }
            if ($PSBoundParameters.ContainsKey('UniqueId') -and $disk.UniqueId -ne $UniqueId) { continue }
            if ($PSBoundParameters.ContainsKey('CanPool') -and $disk.CanPool -ne $CanPool) { continue }
            $disk
        }
    }
}

function Get-StorageNode {
    [CmdletBinding(PositionalBinding = $false, DefaultParameterSetName = 'ByName')]
    param(
        [switch]$AsJob,
        [Alias('Session')][psobject[]]$CimSession,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByDisk')][psobject]$Disk,
        [Parameter(ValueFromPipelineByPropertyName, ParameterSetName = 'ByName')][string[]]$Name,
        [Parameter(ValueFromPipelineByPropertyName, ParameterSetName = 'ByObjectId')][Alias('StorageNodeObjectId')][string[]]$ObjectId,
        [ValidateSet('Unknown', 'Up', 'Down', 'Joining', 'Paused')][string[]]$OperationalStatus,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByPhysicalDisk')][psobject]$PhysicalDisk,
        [Parameter(ParameterSetName = 'ByPhysicalDisk')][Parameter(ParameterSetName = 'ByStorageEnclosure')][switch]$PhysicallyConnected,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByStorageEnclosure')][psobject]$StorageEnclosure,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByStoragePool')][psobject]$StoragePool,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByStorageSubSystem')][psobject]$StorageSubSystem,
        [int]$ThrottleLimit,
        [Parameter(ValueFromPipelineByPropertyName, ParameterSetName = 'ByUniqueId')][Alias('Id')][string[]]$UniqueId,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByVirtualDisk')][psobject]$VirtualDisk,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByVolume')][psobject]$Volume)
    process {
        Assert-StubHere $PSBoundParameters
        $picture = Invoke-Platform 'storage' @{} $PSCmdlet
        if ($null -eq $picture) { return }
        $nodes = if ($picture.clustered) { $picture.nodes } else { @([pscustomobject]@{ name = $picture.me; up = $true }) }
        foreach ($node in $nodes) {
            $full = "$($node.name).fabric.example"
            if ($PSBoundParameters.ContainsKey('Name') -and -not (Test-StubLike $full $Name)) { continue }
            $raw = Get-Raw 'Healthy' 'OK'
            New-StubCim $script:Space 'MSFT_StorageNode' ([ordered]@{
                Name = $full; UniqueId = "node-$($node.name)"; ObjectId = "node-$($node.name)"; OperationalStatus = $(if ($node.up) { 'Up' } else { 'Down' }); HealthStatus = 'Healthy'
            }) $raw
        }
    }
}

function Get-StorageSubSystem {
    [CmdletBinding(PositionalBinding = $false, DefaultParameterSetName = 'ByFriendlyName')]
    param(
        [switch]$AsJob,
        [Alias('Session')][psobject[]]$CimSession,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByDisk')][psobject]$Disk,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByFileServer')][psobject]$FileServer,
        [Parameter(Position = 0, ValueFromPipelineByPropertyName, ParameterSetName = 'ByFriendlyName')][string[]]$FriendlyName,
        [ValidateSet('Healthy', 'Warning', 'Unhealthy')][string[]]$HealthStatus,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByInitiatorId')][psobject]$InitiatorId,
        [string[]]$Manufacturer,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByMaskingSet')][psobject]$MaskingSet,
        [string[]]$Model,
        [Parameter(ValueFromPipelineByPropertyName, ParameterSetName = 'ByName')][string[]]$Name,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByOffloadDataTransferSetting')][psobject]$OffloadDataTransferSetting,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByPartition')][psobject]$Partition,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByStorageFaultDomain')][Alias('PhysicalDisk', 'StorageEnclosure', 'StorageScaleUnit', 'StorageChassis', 'StorageRack', 'StorageSite')][psobject]$StorageFaultDomain,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByStorageNode')][psobject]$StorageNode,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByStoragePool')][psobject]$StoragePool,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByStorageProvider')][psobject]$StorageProvider,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByTargetPort')][psobject]$TargetPort,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByTargetPortal')][psobject]$TargetPortal,
        [int]$ThrottleLimit,
        [Parameter(ValueFromPipelineByPropertyName, ParameterSetName = 'ByUniqueId')][Alias('Id')][string[]]$UniqueId,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByVirtualDisk')][psobject]$VirtualDisk,
        [Parameter(ValueFromPipeline, ParameterSetName = 'ByVolume')][psobject]$Volume)
    process {
        Assert-StubHere $PSBoundParameters
        $picture = Invoke-Platform 'storage' @{} $PSCmdlet
        if ($null -eq $picture) { return }
        $systems = @(@{ name = "Windows Storage on $($picture.me)"; model = 'Windows Storage' })
        if ($picture.clustered) { $systems += @{ name = "Clustered Windows Storage on $($picture.name)"; model = 'Clustered Windows Storage' } }
        foreach ($system in $systems) {
            if (-not (Test-StubLike $system.name $FriendlyName)) { continue }
            $health = 'Healthy'
            if ($system.model -like 'Clustered*' -and @($picture.disks | Where-Object { $_.health -ne 'Healthy' }).Count -gt 0) { $health = 'Warning' }
            $raw = Get-Raw $health 'OK'
            New-StubCim $script:Space 'MSFT_StorageSubSystem' ([ordered]@{
                FriendlyName = $system.name; Model = $system.model; HealthStatus = $health; OperationalStatus = 'OK'; UniqueId = $system.name; AutomaticClusteringEnabled = $true
            }) $raw
        }
    }
}

Export-ModuleMember -Function 'Get-StoragePool', 'Get-VirtualDisk', 'Get-StorageJob', 'Get-PhysicalDisk', 'Get-StorageNode', 'Get-StorageSubSystem'
