# Stub of the module FailoverClusters: the cluster as this node's cluster service sees it. Parameters are the documented ones
# (Microsoft: FailoverClusters module reference, Windows Server 2022); numbers of enums are those of clusapi.h and the module's type listing.

Set-StrictMode -Version 2.0

enum ClusterNodeState { Unknown = -1; Up = 0; Down = 1; Paused = 2; Joining = 3 }
enum ClusterNodeDrainStatus { NotInitiated = 0; InProgress = 1; Completed = 2; Failed = 3 }
[Flags()] enum ClusterNodeStatusInformation { Normal = 0; Isolated = 1; Quarantined = 2; DrainInProgress = 4; DrainCompleted = 8; DrainFailed = 16; AvoidPlacement = 32 }
enum ClusterGroupState { Unknown = -1; Online = 0; Offline = 1; Failed = 2; PartialOnline = 3; Pending = 4 }
# Other numbers than the group's.
enum ClusterResourceState {
    Unknown = -1; Inherited = 0; Initializing = 1; Online = 2; Offline = 3; Failed = 4; Pending = 128; OnlinePending = 129; OfflinePending = 130
}
enum GroupType : uint32 { Cluster = 1; AvailableStorage = 2; Temporary = 3; ClusterSharedVolume = 4; ClusterStoragePool = 5; VirtualMachine = 111; ClusterAwareUpdating = 117; Unknown = 9999 }
# 64 bits wide: 5.1 writes these into JSON as words.
[Flags()] enum ClusterGroupStatusInformation : uint64 { None = 0; Locked = 1; Preempted = 2; Queued = 4; PhysicalResourcesLacking = 8; WaitingToStart = 16; EmbeddedFailure = 32 }
[Flags()] enum ClusterResourceStatusInformation : uint64 { None = 0; Locked = 1; EmbeddedFailure = 2; InsufficientCpu = 4; InsufficientMemory = 8 }
enum ClusterQuorumType { Unknown = 0; Majority = 1; DiskOnly = 2 }
enum SharedVolumeStateInfo { Unavailable = 0; Paused = 1; Direct = 2; FileSystemRedirected = 3; BlockRedirected = 4 }
[Flags()] enum FileSystemRedirectedIOReason { NotFileSystemRedirected = 0; UserRequest = 1; IncompatibleFileSystemFilter = 2; FileSystemReFs = 32 }
[Flags()] enum BlockRedirectedIOReason { NotBlockRedirected = 0; NoDiskConnectivity = 1; StorageSpaceNotAttached = 2; VolumeReplicationEnabled = 4 }
enum ClusterParameterType { Unknown = 0; ByteArray = 1; UInt32 = 2; String = 3 }

# The picture of one moment, or nothing (the command has then written its error).
function Get-Picture($Cmdlet, $Bound, $Arguments = @{}) {
    $picture = Invoke-Platform 'cluster' $Arguments $Cmdlet
    if ($null -eq $picture) { return }
    $asked = $null
    if ($Bound.ContainsKey('Cluster')) { $asked = $Bound['Cluster'] }
    if ($asked -and $asked -ne '.' -and $asked -ne $picture.name -and @($picture.members | Where-Object { $_.name -eq $asked }).Count -eq 0) {
        Write-StubError $Cmdlet 'ClusterRpcConnection' 'ConnectionError' "Check the spelling of the cluster name. Otherwise, there might be a problem with your network. The RPC server is unavailable" 0x800706BA
        return
    }
    $by = @{}
    foreach ($member in $picture.members) { $by[$member.name] = $member }
    $picture.PSObject.Properties.Add((New-Object System.Management.Automation.PSNoteProperty('built', @{})))
    $picture.PSObject.Properties.Add((New-Object System.Management.Automation.PSNoteProperty('by', $by)))
    $picture
}

# One object for the cluster and one for each node, however many groups refer to them.
function New-Cluster($Picture) {
    if (-not $Picture.built.ContainsKey('cluster')) { $Picture.built['cluster'] = New-ClusterObject $Picture }
    $Picture.built['cluster']
}
function New-Node($Picture, $Member) {
    $key = "node $($Member.name)"
    if (-not $Picture.built.ContainsKey($key)) { $Picture.built[$key] = New-NodeObject $Picture $Member }
    $Picture.built[$key]
}

function New-ClusterObject($Picture) {
    New-StubObject 'Microsoft.FailoverClusters.PowerShell.Cluster' ([ordered]@{
        Name = $Picture.name; Id = $Picture.id; Domain = 'fabric.example'; Description = ''
        ClusterFunctionalLevel = [uint32]$Picture.level.functional; ClusterUpgradeVersion = [uint32]$Picture.level.upgrade
        DynamicQuorum = [uint32]1; WitnessDynamicWeight = [uint32]$Picture.witness.vote; FixQuorum = [uint32]0; PreventQuorum = [uint32]0
        LowerQuorumPriorityNodeId = [uint32]0; DrainOnShutdown = [uint32]1; QuarantineThreshold = [uint32]3; QuarantineDuration = [uint32]7200
        ResiliencyDefaultPeriod = [uint32]240; S2DEnabled = [uint32]1; BackupInProgress = [uint32]0; IgnorePersistentStateOnStartup = [uint32]0
        SharedVolumesRoot = 'C:\ClusterStorage'
    })
}

function New-NodeObject($Picture, $Member) {
    New-StubObject 'Microsoft.FailoverClusters.PowerShell.ClusterNode' ([ordered]@{
        Name = $Member.name; NodeName = $Member.name; Id = "$($Member.id)"; NodeInstanceID = $Member.instance; State = [ClusterNodeState]$Member.state
        DrainStatus = [ClusterNodeDrainStatus]$Member.drain; StatusInformation = [ClusterNodeStatusInformation][int]$Member.information
        DrainTarget = [uint32]::MaxValue; NodeWeight = [uint32]1; DynamicWeight = [uint32]$Member.vote; NeedsPreventQuorum = [uint32]0
        BuildNumber = [uint32]$Member.build; MajorVersion = [uint32]10; MinorVersion = [uint32]0; CSDVersion = ''
        NodeHighestVersion = [uint32](0xc0000 -bor $Member.build); NodeLowestVersion = [uint32](0xb0000); Type = 'Node'; Cluster = (New-Cluster $Picture)
    })
}

function New-Group($Picture, $Group) {
    New-StubObject 'Microsoft.FailoverClusters.PowerShell.ClusterGroup' ([ordered]@{
        Name = $Group.name; Id = $Group.id; Description = ''; State = [ClusterGroupState]$Group.state; OwnerNode = (New-Node $Picture $Picture.by[$Group.owner])
        GroupType = [GroupType]$Group.kind; IsCoreGroup = ($Group.kind -ne 'VirtualMachine'); PersistentState = [uint32]($Group.state -ne 'Offline')
        StatusInformation = [ClusterGroupStatusInformation]0; LockedFromMoving = [uint32]0; Priority = [uint32]2000; AutoFailbackType = [uint32]0
        DefaultOwner = [uint32]::MaxValue; Cluster = (New-Cluster $Picture)
    })
}

function New-Resource($Picture, [string]$Name, [string]$Type, $Group, [string]$State) {
    New-StubObject 'Microsoft.FailoverClusters.PowerShell.ClusterResource' ([ordered]@{
        Name = $Name; Id = $Group.id; State = [ClusterResourceState]$State; OwnerGroup = (New-Group $Picture $Group)
        OwnerNode = (New-Group $Picture $Group).OwnerNode; ResourceType = [pscustomobject]@{ Name = $Type }; IsCoreResource = ($Type -ne 'Virtual Machine')
        MaintenanceMode = $false; PersistentState = [uint32]1; StatusInformation = [ClusterResourceStatusInformation]0; LastOperationStatusCode = [uint64]0
        ResourceSpecificStatus = ''; Cluster = (New-Cluster $Picture)
    })
}

function Get-Witness($Picture) {
    if (-not $Picture.witness.kind) { return }
    $core = $Picture.groups[0]
    New-Resource $Picture $Picture.witness.kind $Picture.witness.kind $core $(if ($Picture.witness.online) { 'Online' } else { 'Failed' })
}

function Get-Resources($Picture) {
    Get-Witness $Picture
    foreach ($group in $Picture.groups) {
        $state = @{ Online = 'Online'; Offline = 'Offline'; Pending = 'OnlinePending' }[$group.state]
        switch ($group.kind) {
            'Cluster' { New-Resource $Picture 'Cluster Name' 'Network Name' $group $state }
            'ClusterStoragePool' { New-Resource $Picture $group.name 'Storage Pool' $group $state }
            'VirtualMachine' {
                New-Resource $Picture "Virtual Machine $($group.name)" 'Virtual Machine' $group $state
                New-Resource $Picture "Virtual Machine Configuration $($group.name)" 'Virtual Machine Configuration' $group $state
            }
        }
    }
}

# Those of the objects that were asked for by name; a name that is nobody's is an error.
function Select-Named($Cmdlet, $Objects, $Names, [string]$What) {
    if ($null -eq $Names) { return $Objects }
    foreach ($name in @($Names)) {
        $found = @($Objects | Where-Object { $_.Name -like $name })
        if ($found.Count -eq 0 -and -not [WildcardPattern]::ContainsWildcardCharacters($name)) {
            Write-StubError $Cmdlet 'ClusterObjectNotFound' 'ObjectNotFound' "Unable to find the $What '$name'" 0x80070490 $name
        }
        $found
    }
}

function Get-Cluster {
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [string]$Domain,
        [Parameter(Position = 0)][string]$Name)
    process {
        $bound = @{}
        if ($Name) { $bound['Cluster'] = $Name }
        $picture = Get-Picture $PSCmdlet $bound
        if ($null -ne $picture) { New-Cluster $picture }
    }
}

function Get-ClusterNode {
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [string]$Cluster,
        [Parameter(ValueFromPipeline)][psobject]$InputObject,
        [Parameter(Position = 0)][string[]]$Name)
    process {
        $picture = Get-Picture $PSCmdlet $PSBoundParameters
        if ($null -eq $picture) { return }
        $names = $Name
        if ($null -eq $names -and $null -ne $InputObject -and $InputObject -is [string]) { $names = @($InputObject) }
        Select-Named $PSCmdlet @(foreach ($member in $picture.members) { New-Node $picture $member }) $names 'cluster node'
    }
}

function Suspend-ClusterNode {
    [CmdletBinding(PositionalBinding = $false, SupportsShouldProcess)]
    param(
        [string]$Cluster,
        [switch]$Drain,
        [switch]$ForceDrain,
        [Parameter(ValueFromPipeline)][psobject]$InputObject,
        [Parameter(Position = 0)][string[]]$Name,
        [Parameter(Position = 1)][string]$TargetNode,
        [switch]$Wait)
    process {
        $picture = Get-Picture $PSCmdlet $PSBoundParameters
        if ($null -eq $picture) { return }
        $names = $Name
        if ($null -eq $names -and $null -ne $InputObject) { $names = @("$($InputObject.Name)") }
        if ($null -eq $names) { $names = @($picture.me) }
        foreach ($one in $names) {
            if (-not $PSCmdlet.ShouldProcess($one, 'Suspend-ClusterNode')) { continue }
            $done = Invoke-Platform 'suspend' @{ name = $one; drain = [bool]$Drain; force = [bool]$ForceDrain } $PSCmdlet
            if ($null -eq $done) { continue }
            # What -Wait waits for is not documented to be the drain's completion; here it waits for its end.
            do {
                $picture = Get-Picture $PSCmdlet $PSBoundParameters
                if ($null -eq $picture) { return }
                $member = $picture.by[$one]
                $wait = $Wait -and $member.drain -eq 'InProgress'
                if ($wait) { [System.Threading.Thread]::Sleep(50) }
            } while ($wait)
            New-Node $picture $member
        }
    }
}

function Resume-ClusterNode {
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [string]$Cluster,
        [Parameter(Position = 1)][ValidateSet('NoFailback', 'Immediate', 'Policy')][string]$Failback,
        [Parameter(ValueFromPipeline)][psobject]$InputObject,
        [Parameter(Position = 0)][string[]]$Name)
    process {
        $picture = Get-Picture $PSCmdlet $PSBoundParameters
        if ($null -eq $picture) { return }
        $names = $Name
        if ($null -eq $names -and $null -ne $InputObject) { $names = @("$($InputObject.Name)") }
        if ($null -eq $names) { $names = @($picture.me) }
        foreach ($one in $names) {
            $how = if ($PSBoundParameters.ContainsKey('Failback')) { "$Failback" } else { 'NoFailback' }
            $done = Invoke-Platform 'resume' @{ name = $one; failback = $how } $PSCmdlet
            if ($null -eq $done) { continue }
            $picture = Get-Picture $PSCmdlet $PSBoundParameters
            New-Node $picture $picture.by[$one]
        }
    }
}

function Get-ClusterGroup {
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [string]$Cluster,
        [Parameter(ValueFromPipeline)][psobject]$InputObject,
        [Parameter(Position = 0)][string[]]$Name,
        [Parameter(ValueFromPipelineByPropertyName)][guid]$VMId)
    process {
        $picture = Get-Picture $PSCmdlet $PSBoundParameters
        if ($null -eq $picture) { return }
        $groups = @($picture.groups)
        if ($null -ne $InputObject -and $InputObject.PSObject.TypeNames -contains 'Microsoft.FailoverClusters.PowerShell.ClusterNode') {
            $groups = @($groups | Where-Object { $_.owner -eq $InputObject.Name })
        }
        if ($PSBoundParameters.ContainsKey('VMId')) { $groups = @($groups | Where-Object { $_.kind -eq 'VirtualMachine' -and $_.id -eq "$VMId" }) }
        Select-Named $PSCmdlet @(foreach ($group in $groups) { New-Group $picture $group }) $Name 'cluster group'
    }
}

function Get-ClusterResource {
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [string]$Cluster,
        [Parameter(ValueFromPipeline)][psobject]$InputObject,
        [Parameter(Position = 0)][string[]]$Name,
        [Parameter(ValueFromPipelineByPropertyName)][guid]$VMId)
    process {
        $picture = Get-Picture $PSCmdlet $PSBoundParameters
        if ($null -eq $picture) { return }
        $resources = @(Get-Resources $picture)
        if ($null -ne $InputObject) {
            $in = $InputObject
            if ($in.PSObject.TypeNames -contains 'Microsoft.FailoverClusters.PowerShell.ClusterGroup') { $resources = @($resources | Where-Object { $_.OwnerGroup.Name -eq $in.Name }) }
            elseif ($in.PSObject.TypeNames -contains 'Microsoft.FailoverClusters.PowerShell.ClusterNode') { $resources = @($resources | Where-Object { $_.OwnerNode.Name -eq $in.Name }) }
        }
        if ($PSBoundParameters.ContainsKey('VMId')) { $resources = @($resources | Where-Object { $_.OwnerGroup.Id -eq "$VMId" }) }
        Select-Named $PSCmdlet $resources $Name 'cluster resource'
    }
}

function Get-ClusterParameter {
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [string]$Cluster,
        [Parameter(ValueFromPipeline)][psobject]$InputObject,
        [Parameter(Position = 0)][string[]]$Name)
    process {
        $picture = Get-Picture $PSCmdlet $PSBoundParameters
        if ($null -eq $picture -or $null -eq $InputObject) { return }
        $values = @{}
        if ($InputObject.PSObject.TypeNames -contains 'Microsoft.FailoverClusters.PowerShell.ClusterResource' -and $InputObject.ResourceType.Name -like 'Virtual Machine*') {
            $values['VmID'] = $InputObject.OwnerGroup.Id
        }
        $rows = @(foreach ($key in $values.Keys) {
            New-StubObject 'Microsoft.FailoverClusters.PowerShell.ClusterParameter' ([ordered]@{
                ClusterObject = $InputObject; Name = $key; IsReadOnly = $false; ParameterType = [ClusterParameterType]::String; Value = $values[$key]
            })
        })
        # A parameter that is not there is an error, not nothing.
        Select-Named $PSCmdlet $rows $Name 'cluster parameter'
    }
}

function Get-ClusterQuorum {
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [Parameter(Position = 0)][string]$Cluster,
        [Parameter(ValueFromPipeline)][psobject]$InputObject)
    process {
        $picture = Get-Picture $PSCmdlet $PSBoundParameters
        if ($null -eq $picture) { return }
        New-StubObject 'Microsoft.FailoverClusters.PowerShell.ClusterQuorumSettings' ([ordered]@{
            Cluster = (New-Cluster $picture); QuorumResource = (Get-Witness $picture); QuorumType = [ClusterQuorumType]::Majority
        })
    }
}

function Get-ClusterSharedVolume {
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [string]$Cluster,
        [Parameter(ValueFromPipeline)][psobject]$InputObject,
        [Parameter(Position = 0)][string[]]$Name)
    process {
        $picture = Get-Picture $PSCmdlet $PSBoundParameters
        if ($null -eq $picture) { return }
        $rows = @(foreach ($volume in $picture.volumes) {
            New-StubObject 'Microsoft.FailoverClusters.PowerShell.ClusterSharedVolume' ([ordered]@{
                Name = $volume.name; Id = $volume.friendly; State = [ClusterResourceState]$(if ($volume.online) { 'Online' } else { 'Failed' })
                OwnerNode = (New-Node $picture $picture.by[$volume.owner])
                SharedVolumeInfo = @([pscustomobject]@{ FriendlyVolumeName = "C:\ClusterStorage\$($volume.friendly)" })
            })
        })
        Select-Named $PSCmdlet $rows $Name 'cluster shared volume'
    }
}

function Get-ClusterSharedVolumeState {
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [string]$Cluster,
        [Parameter(ValueFromPipeline)][psobject]$InputObject,
        [Parameter(Position = 0)][string[]]$Name,
        [string[]]$Node)
    process {
        $picture = Get-Picture $PSCmdlet $PSBoundParameters
        if ($null -eq $picture) { return }
        $rows = @(foreach ($volume in $picture.volumes) {
            foreach ($on in $volume.nodes) {
                if ($Node -and $on -ne $Node) { continue }
                New-StubObject 'Microsoft.FailoverClusters.PowerShell.ClusterSharedVolumeStateInfo' ([ordered]@{
                    BlockRedirectedIOReason = [BlockRedirectedIOReason]::NotBlockRedirected; Name = $volume.name; Node = $on
                    FileSystemRedirectedIOReason = [FileSystemRedirectedIOReason]::FileSystemReFs
                    StateInfo = [SharedVolumeStateInfo]$(if ($volume.online) { 'FileSystemRedirected' } else { 'Unavailable' }); VolumeFriendlyName = $volume.friendly
                })
            }
        })
        Select-Named $PSCmdlet $rows $Name 'cluster shared volume'
    }
}

function Get-ClusterNodeSupportedVersion {
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [psobject]$Name,
        [psobject]$Cluster)
    process {
        $picture = Get-Picture $PSCmdlet $PSBoundParameters
        if ($null -eq $picture) { return }
        foreach ($member in $picture.members) {
            if ($Name -and $member.name -notin @($Name)) { continue }
            $new = $member.build -ge 25398
            New-StubCim 'root/MSCluster' 'MSCluster_NodeSupportedVersion' ([ordered]@{
                Name = $member.name; ClusterFunctionalLevel = [uint32]$(if ($new) { 12 } else { 11 })
                ClusterUpgradeVersion = [uint32]$(if ($member.build -ge 26100) { 32774 } elseif ($new) { 32772 } else { 32773 })
            })
        }
    }
}

# Types by number as in the class, shown as words (Microsoft: Fault domain awareness).
function Get-ClusterFaultDomain {
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [Parameter(Position = 0, ValueFromPipelineByPropertyName)][string[]]$Name,
        [Alias('FaultDomainType')][ValidateSet('Unknown', 'Site', 'Rack', 'Chassis', 'Node')][string[]]$Type,
        [string[]]$Id)
    process {
        # A class of WMI, with the rights of its namespace.
        $picture = Get-Picture $PSCmdlet @{} @{ space = 'root/MSCluster' }
        if ($null -eq $picture) { return }
        $rows = @(
            foreach ($site in $picture.sites) { @{ name = $site; type = 'Site'; number = 1000 } }
            foreach ($member in $picture.members) { @{ name = $member.name; type = 'Node'; number = 4000 } }
        )
        foreach ($row in $rows) {
            if (($Name -and $row.name -notin $Name) -or ($Type -and $row.type -notin $Type) -or $Id) { continue }
            New-StubCim 'root/MSCluster' 'MSCluster_FaultDomain' ([ordered]@{
                Name = $row.name; Type = $row.type; ParentName = ''; ChildrenNames = @(); Location = ''; Description = ''
            }) @{ Type = [uint16]$row.number }
        }
    }
}

Export-ModuleMember -Function 'Get-Cluster', 'Get-ClusterNode', 'Suspend-ClusterNode', 'Resume-ClusterNode', 'Get-ClusterGroup', 'Get-ClusterResource', 'Get-ClusterParameter', 'Get-ClusterQuorum', 'Get-ClusterSharedVolume', 'Get-ClusterSharedVolumeState', 'Get-ClusterNodeSupportedVersion', 'Get-ClusterFaultDomain'
