# Runs each script by itself in Constrained Language mode, as the host would if it could: libraries dot-sourced, scripts with their parameters splatted.
# One line of JSON for each: what it answered, or the error id with which it was refused.
[CmdletBinding()]
param([string]$Scripts, [string]$Asked)
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

# Before the mode is set: on Windows the system's own modules are signed, and a policy trusts them.
Import-Module StubPlatform, WindowsServices, CimCmdlets, FailoverClusters, Storage, ScheduledTasks, Dism, Hyper-V, AzureStackHCI

# The engine restricts the language; New-Object restricts itself (PowerShell's sources: NewObjectCommand). A PowerShell of tests may lack that. Of the types
# that it may make in this mode the scripts make none. What a module calls is not restricted.
function New-Object {
    [CmdletBinding()]
    param([Parameter(Position = 0)][string]$TypeName, [Parameter(Position = 1)]$ArgumentList, [string]$ComObject)
    if ($MyInvocation.ScriptName -like '*.psm1') { return Microsoft.PowerShell.Utility\New-Object @PSBoundParameters }
    $id = if ($ComObject) { 'CannotCreateComTypeConstrainedLanguage' } else { 'CannotCreateTypeConstrainedLanguage' }
    $why = [System.Management.Automation.PSNotSupportedException]::new("no $TypeName$ComObject in this language mode")
    $PSCmdlet.ThrowTerminatingError([System.Management.Automation.ErrorRecord]::new($why, $id, 'PermissionDenied', $null))
}

$all = Get-Content -Raw -LiteralPath $Asked | ConvertFrom-Json
$ExecutionContext.SessionState.LanguageMode = 'ConstrainedLanguage'
foreach ($one in $all) {
    $named = @{}
    foreach ($parameter in $one.args.PSObject.Properties) { $named[$parameter.Name] = $parameter.Value }
    $told = @{ name = $one.name; parts = @() }
    $text = Get-Content -Raw -LiteralPath "$Scripts/$($one.name).ps1"
    try {
        if ($one.name -like 'lib-*') { Invoke-Expression ". {`n$text`n}" }
        else {
            # As text: a script block that was made before the mode was set would keep the mode of its making.
            $out = @(Invoke-Expression "& {`n$text`n} @named")[0]
            $told.parts = @(foreach ($part in $out.Keys) {
                $id = if ($out[$part].ok) { '' } else { "$($out[$part].id)" }
                @{ part = $part; id = $id }
            })
        }
    } catch { $told.refused = "$($_.FullyQualifiedErrorId)" }
    ConvertTo-Json -InputObject $told -Depth 4 -Compress
}
# What every answer needs.
try { ConvertTo-Json -Compress -InputObject @{ name = 'an answer'; parts = @(); value = (ConvertTo-WireJson @{ a = 1 }) } }
catch { ConvertTo-Json -Compress -InputObject @{ name = 'an answer'; parts = @(); refused = "$($_.FullyQualifiedErrorId)" } }
