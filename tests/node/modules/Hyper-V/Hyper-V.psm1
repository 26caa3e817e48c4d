# Stub of the module Hyper-V: the virtual machines of this node (Microsoft: Hyper-V module reference; the numbers are those of code in use).

Set-StrictMode -Version 2.0

enum VMState { Other = 1; Running = 2; Off = 3; Stopping = 4; Saved = 6; Paused = 9; Starting = 10 }

function Get-VM {
    [CmdletBinding(PositionalBinding = $false, DefaultParameterSetName = 's0')]
    param(
        [Parameter(Position = 0, ParameterSetName = 's0')][string[]]$Name,
        [Parameter(ParameterSetName = 's0')][Parameter(ParameterSetName = 's1')][psobject[]]$CimSession,
        [Parameter(ParameterSetName = 's0')][Parameter(ParameterSetName = 's1')][string[]]$ComputerName,
        [Parameter(ParameterSetName = 's0')][Parameter(ParameterSetName = 's1')][pscredential[]]$Credential,
        [Parameter(Position = 0, ParameterSetName = 's1')][guid]$Id,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 's2')][psobject]$ClusterObject)
    process {
        Assert-StubHere $PSBoundParameters
        $host1 = Invoke-Platform 'host' @{} $PSCmdlet
        if ($null -eq $host1) { return }
        foreach ($vm in @($host1.vms)) {
            if ($null -eq $vm -or -not (Test-StubLike $vm.name $Name)) { continue }
            if ($PSBoundParameters.ContainsKey('Id') -and "$Id" -ne $vm.id) { continue }
            New-StubObject 'Microsoft.HyperV.PowerShell.VirtualMachine' ([ordered]@{
                Name = $vm.name; VMName = $vm.name; Id = [guid]$vm.id; VMId = [guid]$vm.id; State = [VMState]::Running; Status = 'Operating normally'; IsClustered = $true
                MemoryAssigned = [long]$vm.mib * 1MB; MemoryStartup = [long]$vm.mib * 1MB; MemoryMaximum = [long]$vm.mib * 1MB; MemoryDemand = [long]$vm.mib * 1MB
                DynamicMemoryEnabled = $false; ProcessorCount = 2L; Uptime = [timespan]::FromDays(1); Version = '10.0'; ComputerName = $host1.name; ReplicationState = 'Disabled'
            })
        }
    }
}

function Get-VMHost {
    [CmdletBinding(PositionalBinding = $false, DefaultParameterSetName = 's0')]
    param(
        [Parameter(Position = 0, ParameterSetName = 's0')][string[]]$ComputerName,
        [Parameter(Position = 1, ParameterSetName = 's0')][pscredential[]]$Credential,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 's1')][psobject[]]$CimSession)
    process {
        Assert-StubHere $PSBoundParameters
        $host1 = Invoke-Platform 'host' @{} $PSCmdlet
        if ($null -eq $host1) { return }
        New-StubObject 'Microsoft.HyperV.PowerShell.VMHost' ([ordered]@{ Name = $host1.name; ComputerName = $host1.name; MemoryCapacity = [long]$host1.memory_mib * 1MB; LogicalProcessorCount = 64L })
    }
}

Export-ModuleMember -Function 'Get-VM', 'Get-VMHost'
