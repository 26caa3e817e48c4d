# Stub of the module ScheduledTasks. A started task really runs its program, as a process of the node (tests/node/stub/tasks.py).
# Parameters are the documented ones (Microsoft: ScheduledTasks module reference); results are Task Scheduler's (error and success constants).

Set-StrictMode -Version 2.0

enum TaskState { Unknown = 0; Disabled = 1; Queued = 2; Ready = 3; Running = 4 }

$script:Space = 'Root/Microsoft/Windows/TaskScheduler'

function New-Task($Row) {
    $state = if ($Row.running) { 'Running' } elseif ($Row.disabled) { 'Disabled' } else { 'Ready' }
    New-StubCim $script:Space 'MSFT_ScheduledTask' ([ordered]@{
        TaskName = $Row.name; TaskPath = $Row.path; State = [TaskState]$state; URI = $Row.key; Author = $null; Description = $Row.definition.description; Date = $null
        Actions = @($Row.definition.actions | ForEach-Object { New-Action $_ }); Principal = (New-Principal $Row.definition.principal); Settings = $Row.definition.settings
        Triggers = $null; Version = $null
    })
}

function New-Action($Action) {
    New-StubCim $script:Space 'MSFT_TaskExecAction' ([ordered]@{ Id = $null; Arguments = $Action.argument; Execute = $Action.execute; WorkingDirectory = $Action.folder })
}

function New-Principal($Principal) {
    New-StubCim $script:Space 'MSFT_TaskPrincipal2' ([ordered]@{ UserId = $Principal.user; LogonType = $Principal.logon; RunLevel = $Principal.level; Id = 'Author' })
}

# Tasks by name and path. A name that is nobody's is an error; a path alone is not.
function Find-Task($Cmdlet, $Names, $Paths) {
    $rows = Invoke-Platform 'tasks' @{} $Cmdlet
    if ($null -eq $rows) { return }
    $rows = @($rows | Where-Object { Test-StubLike $_.path $Paths })
    if ($null -eq $Names) { return $rows }
    foreach ($name in @($Names)) {
        $found = @($rows | Where-Object { $_.name -like $name })
        if ($found.Count -eq 0 -and -not [WildcardPattern]::ContainsWildcardCharacters($name)) {
            Write-StubError $Cmdlet 'CmdletizationQuery_NotFound_TaskName' 'ObjectNotFound' "No MSFT_ScheduledTask objects found with property 'TaskName' equal to '$name'.  Verify the value of the property and retry." 0 $name
        }
        $found
    }
}

# What a command of a set with an object or with a name is about.
function Get-Chosen($Cmdlet, $Bound, $InputObject, $TaskName, $TaskPath) {
    if ($Bound.ContainsKey('InputObject')) { return @($InputObject | ForEach-Object { [pscustomobject]@{ name = $_.TaskName; path = $_.TaskPath } }) }
    if ([WildcardPattern]::ContainsWildcardCharacters("$TaskName")) { return @(Find-Task $Cmdlet $TaskName $TaskPath) }
    if ($TaskPath) { return [pscustomobject]@{ name = "$TaskName"; path = "$TaskPath" } }
    if ("$TaskName" -match '^(.*\\)([^\\]+)$') { return [pscustomobject]@{ name = $Matches[2]; path = $Matches[1] } }
    [pscustomobject]@{ name = "$TaskName"; path = '\' }
}

function New-ScheduledTaskAction {
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [Parameter(Position = 1)][string]$Argument,
        [switch]$AsJob,
        [Alias('Session')][psobject[]]$CimSession,
        [Parameter(Mandatory, Position = 0)][string]$Execute,
        [string]$Id,
        [int]$ThrottleLimit,
        [Parameter(Position = 2)][string]$WorkingDirectory)
    Assert-StubHere $PSBoundParameters
    New-Action @{ execute = $Execute; argument = $Argument; folder = $WorkingDirectory }
}

function New-ScheduledTaskPrincipal {
    [CmdletBinding(PositionalBinding = $false, DefaultParameterSetName = 'User')]
    param(
        [switch]$AsJob,
        [Alias('Session')][psobject[]]$CimSession,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Group')][string]$GroupId,
        [Parameter(Position = 5)][string]$Id,
        [Parameter(Position = 1, ParameterSetName = 'User')][ValidateSet('None', 'Password', 'S4U', 'Interactive', 'Group', 'ServiceAccount', 'InteractiveOrPassword')][string]$LogonType,
        [Parameter(Position = 3)][ValidateSet('None', 'Unrestricted', 'Default')][string]$ProcessTokenSidType,
        [Parameter(Position = 4)][string[]]$RequiredPrivilege,
        [Parameter(Position = 2)][ValidateSet('Limited', 'Highest')][string]$RunLevel,
        [int]$ThrottleLimit,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'User')][string]$UserId)
    Assert-StubHere $PSBoundParameters
    New-Principal @{ user = $UserId; logon = $(if ($LogonType) { "$LogonType" } else { 'None' }); level = $(if ($RunLevel) { "$RunLevel" } else { 'Limited' }) }
}

function New-ScheduledTaskSettingsSet {
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [switch]$AllowStartIfOnBatteries,
        [switch]$AsJob,
        [Alias('Session')][psobject[]]$CimSession,
        [ValidateSet('At', 'V1', 'Vista', 'Win7', 'Win8')][string]$Compatibility,
        [timespan]$DeleteExpiredTaskAfter,
        [switch]$Disable,
        [switch]$DisallowDemandStart,
        [switch]$DisallowHardTerminate,
        [switch]$DisallowStartOnRemoteAppSession,
        [switch]$DontStopIfGoingOnBatteries,
        [switch]$DontStopOnIdleEnd,
        [timespan]$ExecutionTimeLimit,
        [switch]$Hidden,
        [timespan]$IdleDuration,
        [timespan]$IdleWaitTimeout,
        [timespan]$MaintenanceDeadline,
        [switch]$MaintenanceExclusive,
        [timespan]$MaintenancePeriod,
        [ValidateSet('Parallel', 'Queue', 'IgnoreNew')][string]$MultipleInstances,
        [string]$NetworkId,
        [string]$NetworkName,
        [int]$Priority,
        [int]$RestartCount,
        [timespan]$RestartInterval,
        [switch]$RestartOnIdle,
        [switch]$RunOnlyIfIdle,
        [switch]$RunOnlyIfNetworkAvailable,
        [switch]$StartWhenAvailable,
        [int]$ThrottleLimit,
        [switch]$WakeToRun)
    Assert-StubHere $PSBoundParameters
    # The default limit is three days (Microsoft: ExecutionTimeLimit).
    $limit = 'P3D'
    if ($PSBoundParameters.ContainsKey('ExecutionTimeLimit')) { $limit = [System.Xml.XmlConvert]::ToString($ExecutionTimeLimit) }
    New-StubCim $script:Space 'MSFT_TaskSettings3' ([ordered]@{
        ExecutionTimeLimit = $limit; Priority = $(if ($PSBoundParameters.ContainsKey('Priority')) { $Priority } else { 7 }); Enabled = (-not $Disable)
        MultipleInstances = $(if ($MultipleInstances) { "$MultipleInstances" } else { 'IgnoreNew' }); AllowDemandStart = (-not $DisallowDemandStart)
        DisallowStartIfOnBatteries = (-not $AllowStartIfOnBatteries); StopIfGoingOnBatteries = (-not $DontStopIfGoingOnBatteries); StartWhenAvailable = [bool]$StartWhenAvailable
    })
}

function New-ScheduledTaskTrigger {
    [CmdletBinding(PositionalBinding = $false, DefaultParameterSetName = 'Once')]
    param(
        [switch]$AsJob,
        [Parameter(Mandatory, ParameterSetName = 'Once')][Parameter(Mandatory, ParameterSetName = 'Daily')][Parameter(Mandatory, ParameterSetName = 'Weekly')][datetime]$At,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Logon')][switch]$AtLogOn,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Startup')][switch]$AtStartup,
        [Alias('Session')][psobject[]]$CimSession,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Daily')][switch]$Daily,
        [Parameter(ParameterSetName = 'Daily')][uint32]$DaysInterval,
        [Parameter(ParameterSetName = 'Weekly')][System.DayOfWeek[]]$DaysOfWeek,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Once')][switch]$Once,
        [timespan]$RandomDelay,
        [Parameter(ParameterSetName = 'Once')][timespan]$RepetitionDuration,
        [Parameter(ParameterSetName = 'Once')][timespan]$RepetitionInterval,
        [int]$ThrottleLimit,
        [Parameter(ParameterSetName = 'Logon')][string]$User,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Weekly')][switch]$Weekly,
        [Parameter(ParameterSetName = 'Weekly')][uint32]$WeeksInterval)
    Assert-StubHere $PSBoundParameters
    $class = @{ Once = 'MSFT_TaskTimeTrigger'; Daily = 'MSFT_TaskDailyTrigger'; Weekly = 'MSFT_TaskWeeklyTrigger'; Startup = 'MSFT_TaskBootTrigger'; Logon = 'MSFT_TaskLogonTrigger' }
    # A trigger is kept and never fires: the stub has no calendar.
    New-StubCim $script:Space $class[$PSCmdlet.ParameterSetName] ([ordered]@{ Enabled = $true; StartBoundary = $(if ($PSBoundParameters.ContainsKey('At')) { $At.ToString('s') } else { $null }) })
}

function New-ScheduledTask {
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [Parameter(Position = 0)][psobject[]]$Action,
        [switch]$AsJob,
        [Alias('Session')][psobject[]]$CimSession,
        [Parameter(Position = 4)][string]$Description,
        [Parameter(Position = 3)][psobject]$Principal,
        [Parameter(Position = 2)][psobject]$Settings,
        [int]$ThrottleLimit,
        [Parameter(Position = 1)][psobject[]]$Trigger)
    process {
        Assert-StubHere $PSBoundParameters
        New-StubCim $script:Space 'MSFT_ScheduledTask' ([ordered]@{
            TaskName = $null; TaskPath = $null; State = [TaskState]::Unknown; Description = $Description; Actions = $Action; Principal = $Principal; Settings = $Settings; Triggers = $Trigger
        })
    }
}

function Register-ScheduledTask {
    [CmdletBinding(PositionalBinding = $false, DefaultParameterSetName = 'User')]
    param(
        [Parameter(Mandatory, Position = 2, ParameterSetName = 'User')][Parameter(Mandatory, Position = 2, ParameterSetName = 'Principal')][psobject[]]$Action,
        [switch]$AsJob,
        [Alias('Session')][psobject[]]$CimSession,
        [Parameter(Position = 8, ParameterSetName = 'User')][Parameter(Position = 8, ParameterSetName = 'Principal')][string]$Description,
        [switch]$Force,
        [Parameter(Mandatory, Position = 2, ValueFromPipeline, ParameterSetName = 'Object')][psobject]$InputObject,
        [Parameter(Position = 4, ParameterSetName = 'User')][Parameter(Position = 4, ParameterSetName = 'Xml')][Parameter(Position = 4, ParameterSetName = 'Object')][string]$Password,
        [Parameter(Position = 5, ParameterSetName = 'Principal')][psobject]$Principal,
        [Parameter(Position = 7, ParameterSetName = 'User')][ValidateSet('Limited', 'Highest')][string]$RunLevel,
        [Parameter(Position = 4, ParameterSetName = 'User')][Parameter(Position = 4, ParameterSetName = 'Principal')][psobject]$Settings,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'User')][Parameter(Mandatory, Position = 0, ParameterSetName = 'Xml')][Parameter(Mandatory, Position = 0, ParameterSetName = 'Principal')][Parameter(Position = 0, ParameterSetName = 'Object')][string]$TaskName,
        [Parameter(Position = 1)][string]$TaskPath,
        [int]$ThrottleLimit,
        [Parameter(Position = 3, ParameterSetName = 'User')][Parameter(Position = 3, ParameterSetName = 'Principal')][psobject[]]$Trigger,
        [Parameter(Position = 3, ParameterSetName = 'User')][Parameter(Position = 3, ParameterSetName = 'Xml')][Parameter(Position = 3, ParameterSetName = 'Object')][string]$User,
        [Parameter(Mandatory, Position = 2, ValueFromPipeline, ParameterSetName = 'Xml')][string]$Xml)
    process {
        Assert-StubHere $PSBoundParameters
        if ($PSBoundParameters.ContainsKey('Xml')) { throw 'the stub does not do -Xml' }
        if ($PSBoundParameters.ContainsKey('InputObject')) {
            $Action = $InputObject.Actions
            $Principal = $InputObject.Principal
            $Settings = $InputObject.Settings
        }
        $who = @{ user = "$env:USERNAME"; logon = 'Interactive'; level = 'Limited' }
        if ($null -ne $Principal) { $who = @{ user = $Principal.UserId; logon = $Principal.LogonType; level = $Principal.RunLevel } }
        elseif ($PSBoundParameters.ContainsKey('User')) { $who = @{ user = $User; logon = 'Password'; level = $(if ($RunLevel) { $RunLevel } else { 'Limited' }) } }
        $kept = @{}
        if ($null -ne $Settings) { foreach ($name in 'ExecutionTimeLimit', 'Priority', 'MultipleInstances', 'AllowDemandStart') { $kept[$name] = $Settings.$name } }
        $definition = @{
            actions = @($Action | ForEach-Object { @{ execute = $_.Execute; argument = $_.Arguments; folder = $_.WorkingDirectory } })
            principal = $who; settings = $kept; description = "$Description"
        }
        $row = Invoke-Platform 'task_register' @{ name = $TaskName; path = "$TaskPath"; force = [bool]$Force; definition = $definition } $PSCmdlet
        if ($null -ne $row) { New-Task $row }
    }
}

function Get-ScheduledTask {
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [switch]$AsJob,
        [Alias('Session')][psobject[]]$CimSession,
        [Parameter(Position = 0, ValueFromPipelineByPropertyName)][string[]]$TaskName,
        [Parameter(Position = 1, ValueFromPipelineByPropertyName)][string[]]$TaskPath,
        [int]$ThrottleLimit)
    process {
        Assert-StubHere $PSBoundParameters
        foreach ($row in @(Find-Task $PSCmdlet $TaskName $TaskPath)) { if ($null -ne $row) { New-Task $row } }
    }
}

function Get-ScheduledTaskInfo {
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [switch]$AsJob,
        [Alias('Session')][psobject[]]$CimSession,
        [Parameter(Mandatory, Position = 0, ValueFromPipeline, ParameterSetName = 'Object')][psobject]$InputObject,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Name')][string]$TaskName,
        [Parameter(Position = 1, ParameterSetName = 'Name')][string]$TaskPath,
        [int]$ThrottleLimit)
    process {
        Assert-StubHere $PSBoundParameters
        foreach ($one in @(Get-Chosen $PSCmdlet $PSBoundParameters $InputObject $TaskName $TaskPath)) {
            $path = '\' + "$($one.path)".Trim('\') + '\'
            if ($path -eq '\\') { $path = '\' }
            foreach ($row in @(Find-Task $PSCmdlet $one.name $path)) {
                if ($null -eq $row) { continue }
                New-StubCim $script:Space 'MSFT_TaskDynamicInfo' ([ordered]@{
                    TaskName = $row.name; TaskPath = $row.path; LastRunTime = (ConvertFrom-StubMs $row.last_run); LastTaskResult = [uint32]$row.result
                    NextRunTime = $null; NumberOfMissedRuns = [uint32]0
                })
            }
        }
    }
}

function Start-ScheduledTask {
    [CmdletBinding(PositionalBinding = $false, DefaultParameterSetName = 'Path')]
    param(
        [switch]$AsJob,
        [Alias('Session')][psobject[]]$CimSession,
        [Parameter(Mandatory, Position = 1, ValueFromPipeline, ParameterSetName = 'Object')][psobject]$InputObject,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Path')][string]$TaskName,
        [Parameter(Position = 1, ParameterSetName = 'Path')][string]$TaskPath,
        [int]$ThrottleLimit)
    process {
        Assert-StubHere $PSBoundParameters
        foreach ($one in @(Get-Chosen $PSCmdlet $PSBoundParameters $InputObject $TaskName $TaskPath)) {
            $path = '\' + "$($one.path)".Trim('\') + '\'
            if ($path -eq '\\') { $path = '\' }
            if (@(Find-Task $PSCmdlet $one.name $path | Where-Object { $null -ne $_ }).Count -eq 0) { continue }
            [void](Invoke-Platform 'task_start' @{ name = $one.name; path = $path } $PSCmdlet)
        }
    }
}

function Stop-ScheduledTask {
    [CmdletBinding(PositionalBinding = $false, DefaultParameterSetName = 'Path')]
    param(
        [switch]$AsJob,
        [Alias('Session')][psobject[]]$CimSession,
        [Parameter(Mandatory, Position = 1, ValueFromPipeline, ParameterSetName = 'Object')][psobject]$InputObject,
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Path')][string]$TaskName,
        [Parameter(Position = 1, ParameterSetName = 'Path')][string]$TaskPath,
        [int]$ThrottleLimit)
    process {
        Assert-StubHere $PSBoundParameters
        foreach ($one in @(Get-Chosen $PSCmdlet $PSBoundParameters $InputObject $TaskName $TaskPath)) {
            $path = '\' + "$($one.path)".Trim('\') + '\'
            if ($path -eq '\\') { $path = '\' }
            if (@(Find-Task $PSCmdlet $one.name $path | Where-Object { $null -ne $_ }).Count -eq 0) { continue }
            [void](Invoke-Platform 'task_stop' @{ name = $one.name; path = $path } $PSCmdlet)
        }
    }
}

function Unregister-ScheduledTask {
    [CmdletBinding(PositionalBinding = $false, SupportsShouldProcess, DefaultParameterSetName = 'ByPath')]
    param(
        [switch]$AsJob,
        [Alias('Session')][psobject[]]$CimSession,
        [Parameter(Mandatory, ValueFromPipeline, ParameterSetName = 'InputObject (cdxml)')][psobject[]]$InputObject,
        [switch]$PassThru,
        [Parameter(Position = 0, ValueFromPipelineByPropertyName, ParameterSetName = 'ByPath')][string[]]$TaskName,
        [Parameter(Position = 1, ValueFromPipelineByPropertyName, ParameterSetName = 'ByPath')][string[]]$TaskPath,
        [int]$ThrottleLimit)
    process {
        Assert-StubHere $PSBoundParameters
        foreach ($one in @(Get-Chosen $PSCmdlet $PSBoundParameters $InputObject $TaskName $TaskPath)) {
            $path = '\' + "$($one.path)".Trim('\') + '\'
            if ($path -eq '\\') { $path = '\' }
            if (@(Find-Task $PSCmdlet $one.name $path | Where-Object { $null -ne $_ }).Count -eq 0) { continue }
            if (-not $PSCmdlet.ShouldProcess($one.name, 'Unregister-ScheduledTask')) { continue }
            [void](Invoke-Platform 'task_unregister' @{ name = $one.name; path = $path } $PSCmdlet)
        }
    }
}

Export-ModuleMember -Function 'New-ScheduledTaskAction', 'New-ScheduledTaskPrincipal', 'New-ScheduledTaskSettingsSet', 'New-ScheduledTaskTrigger', 'New-ScheduledTask', 'Register-ScheduledTask', 'Get-ScheduledTask', 'Get-ScheduledTaskInfo', 'Start-ScheduledTask', 'Stop-ScheduledTask', 'Unregister-ScheduledTask'
