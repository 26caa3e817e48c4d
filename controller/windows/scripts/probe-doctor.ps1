# What Drydock needs of this node and this account, looked at one thing after another. Changes nothing but one value of its own volatile key, which it takes
# away again: only a try tells whether it may write.
[CmdletBinding()]
param()
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$needed = [ordered]@{
    FailoverClusters = 'Get-Cluster', 'Get-ClusterNode', 'Get-ClusterGroup', 'Get-ClusterQuorum', 'Suspend-ClusterNode', 'Resume-ClusterNode'
    Storage = 'Get-StoragePool', 'Get-VirtualDisk', 'Get-PhysicalDisk', 'Get-StorageJob', 'Get-StorageNode'
    ScheduledTasks = 'Register-ScheduledTask', 'Start-ScheduledTask', 'Unregister-ScheduledTask'
    CimCmdlets = 'Get-CimInstance', 'Invoke-CimMethod'
    Dism = @('Get-WindowsImage')
    'Hyper-V' = @('Get-VM')
    AzureStackHCI = @('Get-AzureStackHCI')
}
[ordered]@{
    shell = Get-Part {
        [ordered]@{
            version = "$($PSVersionTable.PSVersion)"; language = "$($ExecutionContext.SessionState.LanguageMode)"; bits = 8 * [IntPtr]::Size
            culture = [System.Globalization.CultureInfo]::CurrentUICulture.Name
        }
    }
    account = Get-Part { Get-Account }
    # For people: neither the session nor a task is a script file, so no execution policy holds them back.
    policy = Get-Part {
        , @(foreach ($row in @(Get-ExecutionPolicy -List)) { [ordered]@{ scope = "$($row.Scope)"; policy = "$($row.ExecutionPolicy)" } })
    }
    modules = Get-Part {
        , @(foreach ($name in $needed.Keys) {
            $missing = @($needed[$name] | Where-Object { -not (Get-Command -Name $_ -ErrorAction SilentlyContinue) })
            [ordered]@{ name = $name; missing = $missing }
        })
    }
    services = Get-Part {
        , @(foreach ($name in 'clussvc', 'Schedule', 'wuauserv', 'WinRM', 'sshd') {
            try {
                $service = Get-Service -Name $name
                $states = @{ '1' = 'Stopped'; '2' = 'StartPending'; '3' = 'StopPending'; '4' = 'Running'; '5' = 'ContinuePending'; '6' = 'PausePending'; '7' = 'Paused' }
                $starts = @{ '0' = 'Boot'; '1' = 'System'; '2' = 'Automatic'; '3' = 'Manual'; '4' = 'Disabled' }
                [ordered]@{ name = $name; status = (Get-Word $service.Status $states); start = (Get-Word (Get-PropertyOrNull $service 'StartType') $starts) }
            } catch {
                # What may not be seen is not missing.
                if ((Get-Gap $_) -eq 'AccessDenied') { throw }
                [ordered]@{ name = $name; status = 'NotThere'; start = 'Unknown' }
            }
        })
    }
    machine = Get-Part { Get-MachineUuid }
    cim = Get-Part { "$((Get-CimInstance -ClassName Win32_OperatingSystem -Property BuildNumber).BuildNumber)" }
    cluster = Get-Part -Cluster { Assert-ClusterService; [ordered]@{ name = "$((Get-Cluster).Name)"; nodes = @(Get-ClusterNode).Count } }
    quorumQuestion = Get-Part -Cluster { , @(Get-QuorumLosers (Get-NodeName)) }
    storage = Get-Part -Cluster { Assert-ClusterService; "$((Get-ClusterPool).FriendlyName)" }
    registryRead = Get-Part { [void](Get-Memory); $true }
    registryWrite = Get-Part {
        [void](Get-BootId)
        $key = (Get-MemoryKey) + '\Boot'
        [void](New-ItemProperty -LiteralPath $key -Name 'Doctor' -Value "$PID" -PropertyType String -Force)
        Remove-ItemProperty -LiteralPath $key -Name 'Doctor'
        $true
    }
    mutex = Get-Part {
        $mutex = New-NodeMutex "Global\Drydock-$(Get-MachineUuid)"
        try {
            $free = Wait-Mutex $mutex 1000
            if ($free) { $mutex.ReleaseMutex() }
            [ordered]@{ free = [bool]$free }
        } finally { $mutex.Dispose() }
    }
    folder = Get-Part {
        $root = Get-WorkRoot
        $works = @(Get-Works)
        [ordered]@{ path = $root; there = (Test-Path -LiteralPath $root); entries = $works.Count }
    }
    tasks = Get-Part {
        , @(foreach ($task in @(Get-ScheduledTask | Where-Object { "$($_.TaskPath)" -eq '\Drydock\' })) { [ordered]@{ name = "$($task.TaskName)"; state = (Get-Word $task.State @{ '1' = 'Disabled'; '2' = 'Queued'; '3' = 'Ready'; '4' = 'Running' }) } })
    }
    updateAgent = Get-Part { [void](New-UpdateObject 'Session').CreateUpdateSearcher(); $true }
    # What a session may use of the service; read through the provider, which only administrators may.
    quotas = Get-Part {
        $found = [ordered]@{}
        foreach ($item in @(Get-ChildItem -LiteralPath 'WSMan:\localhost\Shell')) { $found["$($item.Name)"] = "$($item.Value)" }
        $found
    }
    setup = Get-Part { Get-Setup }
}
