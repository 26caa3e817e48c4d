@{
    ModuleVersion = '2.0.0.0'
    RootModule = 'ScheduledTasks.psm1'
    RequiredModules = @('StubPlatform')
    FunctionsToExport = @(
        'New-ScheduledTaskAction'
        'New-ScheduledTaskPrincipal'
        'New-ScheduledTaskSettingsSet'
        'New-ScheduledTaskTrigger'
        'New-ScheduledTask'
        'Register-ScheduledTask'
        'Get-ScheduledTask'
        'Get-ScheduledTaskInfo'
        'Start-ScheduledTask'
        'Stop-ScheduledTask'
        'Unregister-ScheduledTask'
    )
    CmdletsToExport = @()
    AliasesToExport = @()
}
