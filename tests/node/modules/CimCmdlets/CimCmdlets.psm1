# Stub of the module CimCmdlets: the classes that Drydock's scripts read. Parameters are those of 5.1; properties those of the class pages
# (Microsoft: Win32 provider, Failover Cluster WMI provider, Storage management API).

Set-StrictMode -Version 2.0

# Numbers stay numbers here: only the Storage module has words for them.
function Get-Instances($Cmdlet, [string]$Space, [string]$Class) {
    switch ($Space) {
        'root/cimv2' { Get-Win32 $Cmdlet $Class }
        'root/mscluster' { Get-MsCluster $Cmdlet $Class }
        'root/microsoft/windows/storage' { Get-Storage $Cmdlet $Class }
        default { Write-StubError $Cmdlet 'HRESULT 0x8004100e' 'InvalidArgument' 'Invalid namespace' 0x8004100E }
    }
}

function Get-Win32($Cmdlet, [string]$Class) {
    $space = 'root/cimv2'
    $host1 = Invoke-Platform 'host' @{ space = $space } $Cmdlet
    if ($null -eq $host1) { return }
    switch ($Class) {
        'Win32_OperatingSystem' {
            New-StubCim $space $Class ([ordered]@{
                LastBootUpTime = (ConvertFrom-StubMs $host1.boot_ms); LocalDateTime = (ConvertFrom-StubMs $host1.now_ms); InstallDate = (ConvertFrom-StubMs $host1.installed_ms)
                BuildNumber = "$($host1.build)"; Version = "10.0.$($host1.build)"; Caption = 'Microsoft Azure Stack HCI'; ProductType = [uint32]3; OperatingSystemSKU = [uint32]406
                OSLanguage = [uint32]1033; MUILanguages = [string[]]@('en-US'); FreePhysicalMemory = [uint64]($host1.free_mib * 1024)
                TotalVisibleMemorySize = [uint64]($host1.memory_mib * 1024); SystemDrive = $env:SystemDrive; CSName = $host1.name; CurrentTimeZone = [int16]0
            })
        }
        'Win32_ComputerSystemProduct' {
            New-StubCim $space $Class ([ordered]@{ UUID = "$($host1.machine)".ToUpperInvariant(); Name = 'Stub node'; Vendor = 'Drydock tests'; IdentifyingNumber = $host1.name; Version = '1' })
        }
        'Win32_ComputerSystem' {
            New-StubCim $space $Class ([ordered]@{
                Name = $host1.name; DNSHostName = $host1.name; Domain = $host1.domain; PartOfDomain = $true; DomainRole = [uint16]3; HypervisorPresent = $true
                TotalPhysicalMemory = [uint64]($host1.memory_mib * 1MB)
            })
        }
        'Win32_LogicalDisk' {
            New-StubCim $space $Class ([ordered]@{ DeviceID = $env:SystemDrive; FreeSpace = [uint64]$host1.free; Size = [uint64]240GB; FileSystem = 'NTFS'; DriveType = [uint32]3 })
        }
        'Win32_Service' {
            $rows = Invoke-Platform 'services' @{} $Cmdlet
            foreach ($row in $rows.PSObject.Properties) {
                New-StubCim $space $Class ([ordered]@{
                    Name = $row.Name; DisplayName = $row.Value.display; State = $row.Value.status
                    StartMode = $(if ($row.Value.start -eq 'Automatic') { 'Auto' } else { $row.Value.start }); ExitCode = [uint32]0; ProcessId = [uint32]0
                })
            }
        }
        'Win32_Process' {
            foreach ($row in (Invoke-Platform 'processes' @{} $Cmdlet)) {
                New-StubCim $space $Class ([ordered]@{
                    Name = $row.name; ProcessId = [uint32]$row.pid; ParentProcessId = [uint32]$row.parent; CommandLine = $row.line; CreationDate = (ConvertFrom-StubMs $row.began_ms)
                })
            }
        }
        default { Write-StubError $Cmdlet 'HRESULT 0x80041010' 'ObjectNotFound' 'Invalid class ' 0x80041010 }
    }
}

function Get-MsCluster($Cmdlet, [string]$Class) {
    $picture = Invoke-Platform 'cluster' @{ space = 'root/mscluster' } $Cmdlet
    if ($null -eq $picture) { return }
    $states = @{ Up = 0; Down = 1; Paused = 2; Joining = 3; Unknown = [uint32]::MaxValue }
    $drains = @{ NotInitiated = 0; InProgress = 1; Completed = 2; Failed = 3 }
    switch ($Class) {
        'MSCluster_Node' {
            foreach ($member in $picture.members) {
                # State has no sign here.
                New-StubCim 'root/MSCluster' $Class ([ordered]@{
                    Name = $member.name; Id = "$($member.id)"; State = [uint32]$states[$member.state]; NodeDrainStatus = [uint32]$drains[$member.drain]
                    StatusInformation = [uint32]$member.information; NodeWeight = [uint32]1; DynamicWeight = [uint32]$member.vote; BuildNumber = [uint32]$member.build
                })
            }
        }
        'MSCluster_Cluster' { New-StubCim 'root/MSCluster' $Class ([ordered]@{ Name = $picture.name; Fqdn = "$($picture.name).fabric.example"; DynamicQuorumEnabled = [uint32]1 }) }
        'MSCluster_ResourceGroup' {
            $group = @{ Online = 0; Offline = 1; Failed = 2; PartialOnline = 3; Pending = 4 }
            foreach ($row in $picture.groups) { New-StubCim 'root/MSCluster' $Class ([ordered]@{ Name = $row.name; Id = $row.id; State = [uint32]$group[$row.state]; OwnerNode = $row.owner }) }
        }
        default { Write-StubError $Cmdlet 'HRESULT 0x80041010' 'ObjectNotFound' 'Invalid class ' 0x80041010 }
    }
}

# The Storage classes as they are: the words of the Storage module are not there.
function Get-Storage($Cmdlet, [string]$Class) {
    $commands = @{ MSFT_StoragePool = 'Get-StoragePool'; MSFT_VirtualDisk = 'Get-VirtualDisk'; MSFT_PhysicalDisk = 'Get-PhysicalDisk'; MSFT_StorageJob = 'Get-StorageJob'; MSFT_StorageNode = 'Get-StorageNode' }
    if (-not $commands.ContainsKey($Class)) {
        Write-StubError $Cmdlet 'HRESULT 0x80041010' 'ObjectNotFound' 'Invalid class ' 0x80041010
        return
    }
    foreach ($shown in @(& "Storage\$($commands[$Class])")) {
        if ($null -eq $shown) { continue }
        $raw = [ordered]@{}
        foreach ($name in $shown.CimInstanceProperties.Keys) { $raw[$name] = $shown.CimInstanceProperties[$name].Value }
        New-StubCim 'ROOT/Microsoft/Windows/Storage' $Class $raw
    }
}

# A filter of WQL: comparisons joined by AND. Anything else is an invalid query.
function Test-Filter($Cmdlet, $Instance, [string]$Filter) {
    foreach ($part in [regex]::Split($Filter, '\s+and\s+', 'IgnoreCase')) {
        if ($part -notmatch "^\s*(\w+)\s*(=|<>|!=|like)\s*('([^']*)'|`"([^`"]*)`"|-?\d+|true|false)\s*$") {
            Write-StubError $Cmdlet 'HRESULT 0x80041017' 'InvalidArgument' 'Invalid query ' 0x80041017
            return $false
        }
        $name, $operator, $value = $Matches[1], $Matches[2], $Matches[3].Trim("'`"")
        $property = $Instance.PSObject.Properties[$name]
        if ($null -eq $property) {
            Write-StubError $Cmdlet 'HRESULT 0x80041017' 'InvalidArgument' 'Invalid query ' 0x80041017
            return $false
        }
        $fits = if ($operator -eq 'like') { "$($property.Value)" -like $value.Replace('%', '*') } else { "$($property.Value)" -eq $value.Replace('\\', '\') }
        if ($operator -in '<>', '!=') { $fits = -not $fits }
        if (-not $fits) { return $false }
    }
    $true
}

function Get-CimInstance {
    [CmdletBinding(PositionalBinding = $false, DefaultParameterSetName = 's0')]
    param(
        [Parameter(Mandatory, Position = 0, ParameterSetName = 's0')][Parameter(Mandatory, Position = 0, ParameterSetName = 's3')][string]$ClassName,
        [Parameter(ParameterSetName = 's0')][Parameter(ParameterSetName = 's5')][Parameter(ParameterSetName = 's6')][Parameter(ParameterSetName = 's7')][string[]]$ComputerName,
        [Parameter(ParameterSetName = 's0')][Parameter(ParameterSetName = 's1')][Parameter(ParameterSetName = 's3')][Parameter(ParameterSetName = 's6')][switch]$KeyOnly,
        [Parameter(ParameterSetName = 's0')][Parameter(ParameterSetName = 's1')][Parameter(ParameterSetName = 's2')][Parameter(ParameterSetName = 's3')][Parameter(ParameterSetName = 's6')][Parameter(ParameterSetName = 's7')][string]$Namespace,
        [uint32]$OperationTimeoutSec,
        [Parameter(ParameterSetName = 's0')][Parameter(ParameterSetName = 's2')][Parameter(ParameterSetName = 's3')][Parameter(ParameterSetName = 's7')][string]$QueryDialect,
        [Parameter(ParameterSetName = 's0')][Parameter(ParameterSetName = 's1')][Parameter(ParameterSetName = 's2')][Parameter(ParameterSetName = 's3')][Parameter(ParameterSetName = 's6')][Parameter(ParameterSetName = 's7')][switch]$Shallow,
        [Parameter(ParameterSetName = 's0')][Parameter(ParameterSetName = 's1')][Parameter(ParameterSetName = 's3')][Parameter(ParameterSetName = 's6')][string]$Filter,
        [Parameter(ParameterSetName = 's0')][Parameter(ParameterSetName = 's1')][Parameter(ParameterSetName = 's3')][Parameter(ParameterSetName = 's6')][string[]]$Property,
        [Parameter(Mandatory, ParameterSetName = 's1')][Parameter(Mandatory, ParameterSetName = 's2')][Parameter(Mandatory, ParameterSetName = 's3')][Parameter(Mandatory, ParameterSetName = 's4')][psobject[]]$CimSession,
        [Parameter(Mandatory, ParameterSetName = 's1')][Parameter(ParameterSetName = 's2')][Parameter(ParameterSetName = 's4')][Parameter(ParameterSetName = 's5')][Parameter(Mandatory, ParameterSetName = 's6')][Parameter(ParameterSetName = 's7')][uri]$ResourceUri,
        [Parameter(Mandatory, ParameterSetName = 's2')][Parameter(Mandatory, ParameterSetName = 's7')][string]$Query,
        [Parameter(Mandatory, Position = 0, ValueFromPipeline, ParameterSetName = 's4')][Parameter(Mandatory, Position = 0, ValueFromPipeline, ParameterSetName = 's5')][psobject]$InputObject)
    process {
        Assert-StubHere $PSBoundParameters
        if ($PSBoundParameters.ContainsKey('InputObject')) {
            $ClassName = $InputObject.CimClass.CimClassName
            $Filter = "Name = '$($InputObject.Name)'"
        }
        if ($PSBoundParameters.ContainsKey('Query')) {
            if ($Query -notmatch '^\s*select\s+.+?\s+from\s+(\w+)(?:\s+where\s+(.+))?\s*$') {
                Write-StubError $PSCmdlet 'HRESULT 0x80041017' 'InvalidArgument' 'Invalid query ' 0x80041017
                return
            }
            $ClassName = $Matches[1]
            $Filter = if ($Matches.Count -gt 2) { $Matches[2] } else { '' }
        }
        $space = if ($Namespace) { $Namespace.Replace('\', '/').ToLowerInvariant() } else { 'root/cimv2' }
        # A filter for drive C: finds the system drive, which the stub keeps in a folder.
        if ($ClassName -eq 'Win32_LogicalDisk' -and $Filter) { $Filter = $Filter -replace "'C:'", "'$env:SystemDrive'" }
        foreach ($instance in @(Get-Instances $PSCmdlet $space $ClassName)) {
            if ($null -eq $instance) { continue }
            if ($Filter -and -not (Test-Filter $PSCmdlet $instance $Filter)) { continue }
            if ($PSBoundParameters.ContainsKey('Property')) {
                # What was not asked for is there, and null.
                foreach ($held in @($instance.PSObject.Properties)) {
                    if ($held.Name -notin $Property -and $held.Name -notin 'CimClass', 'CimInstanceProperties', 'StubRaw', 'Name') { $held.Value = $null }
                }
            }
            $instance
        }
    }
}

function Invoke-CimMethod {
    [CmdletBinding(PositionalBinding = $false, DefaultParameterSetName = 's0', SupportsShouldProcess)]
    param(
        [Parameter(Mandatory, Position = 0, ParameterSetName = 's0')][Parameter(Mandatory, Position = 0, ParameterSetName = 's1')][string]$ClassName,
        [Parameter(Position = 1, ParameterSetName = 's0')][Parameter(Position = 1, ParameterSetName = 's1')][Parameter(Position = 0, ParameterSetName = 's2')][Parameter(Position = 1, ParameterSetName = 's3')][Parameter(Position = 1, ParameterSetName = 's4')][Parameter(Position = 0, ParameterSetName = 's5')][Parameter(Position = 1, ParameterSetName = 's6')][Parameter(Position = 1, ParameterSetName = 's7')][Parameter(Position = 0, ParameterSetName = 's8')][Parameter(Position = 0, ParameterSetName = 's9')][System.Collections.IDictionary]$Arguments,
        [Parameter(Mandatory, Position = 2, ParameterSetName = 's0')][Parameter(Mandatory, Position = 2, ParameterSetName = 's1')][Parameter(Mandatory, Position = 1, ParameterSetName = 's2')][Parameter(Mandatory, Position = 2, ParameterSetName = 's3')][Parameter(Mandatory, Position = 2, ParameterSetName = 's4')][Parameter(Mandatory, Position = 1, ParameterSetName = 's5')][Parameter(Mandatory, Position = 2, ParameterSetName = 's6')][Parameter(Mandatory, Position = 2, ParameterSetName = 's7')][Parameter(Mandatory, Position = 1, ParameterSetName = 's8')][Parameter(Mandatory, Position = 1, ParameterSetName = 's9')][string]$MethodName,
        [Parameter(ParameterSetName = 's0')][Parameter(ParameterSetName = 's2')][Parameter(ParameterSetName = 's4')][Parameter(ParameterSetName = 's6')][Parameter(ParameterSetName = 's8')][string[]]$ComputerName,
        [Parameter(ParameterSetName = 's0')][Parameter(ParameterSetName = 's1')][Parameter(ParameterSetName = 's2')][Parameter(ParameterSetName = 's5')][Parameter(ParameterSetName = 's8')][Parameter(ParameterSetName = 's9')][string]$Namespace,
        [uint32]$OperationTimeoutSec,
        [Parameter(Mandatory, ParameterSetName = 's1')][Parameter(Mandatory, ParameterSetName = 's3')][Parameter(Mandatory, ParameterSetName = 's5')][Parameter(Mandatory, ParameterSetName = 's7')][Parameter(Mandatory, ParameterSetName = 's9')][psobject[]]$CimSession,
        [Parameter(Mandatory, ParameterSetName = 's2')][Parameter(ParameterSetName = 's3')][Parameter(ParameterSetName = 's4')][Parameter(Mandatory, ParameterSetName = 's5')][uri]$ResourceUri,
        [Parameter(Mandatory, Position = 0, ValueFromPipeline, ParameterSetName = 's3')][Parameter(Mandatory, Position = 0, ValueFromPipeline, ParameterSetName = 's4')][psobject]$InputObject,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 's6')][Parameter(Mandatory, Position = 0, ParameterSetName = 's7')][psobject]$CimClass,
        [Parameter(Mandatory, ParameterSetName = 's8')][Parameter(Mandatory, ParameterSetName = 's9')][string]$Query,
        [Parameter(ParameterSetName = 's8')][Parameter(ParameterSetName = 's9')][string]$QueryDialect)
    process {
        Assert-StubHere $PSBoundParameters
        if (-not $PSBoundParameters.ContainsKey('InputObject')) {
            Write-StubError $PSCmdlet 'HRESULT 0x80041002' 'ObjectNotFound' 'Not found ' 0x80041002
            return
        }
        if ($InputObject.PSObject.TypeNames -notcontains 'Microsoft.Management.Infrastructure.CimInstance') { throw 'not a CIM instance' }
        switch ("$($InputObject.CimClass.CimClassName).$MethodName") {
            'MSCluster_Node.WillOfflineLoseQuorum' {
                $answer = Invoke-Platform 'would_lose_quorum' @{ name = $InputObject.Name; space = 'root/mscluster' } $PSCmdlet
                if ($null -ne $answer) { New-StubObject 'Microsoft.Management.Infrastructure.CimMethodResult' ([ordered]@{ ReturnValue = [bool]$answer; Reason = ''; PSComputerName = $null }) }
            }
            default { Write-StubError $PSCmdlet 'HRESULT 0x80041055' 'InvalidOperation' 'This method is not implemented in any class ' 0x80041055 }
        }
    }
}

Export-ModuleMember -Function 'Get-CimInstance', 'Invoke-CimMethod'
