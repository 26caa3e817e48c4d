# The session host; see README.md. At most 2,800 characters.
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$WarningPreference = 'SilentlyContinue'
# Nothing works without it.
$mode = "$($ExecutionContext.SessionState.LanguageMode)"
if ($mode -ne 'FullLanguage') { "DRYDOCK-LANGUAGE $mode"; exit 4 }
$ascii = New-Object System.Text.ASCIIEncoding
$reader = New-Object System.IO.StreamReader([Console]::OpenStandardInput(), $ascii)
$writer = New-Object System.IO.StreamWriter([Console]::OpenStandardOutput(), $ascii)
$writer.AutoFlush = $true
$sources = @{}
$token = ''
function Write-Answer($Answer) {
    if (Get-Command ConvertTo-WireJson -CommandType Function -ErrorAction SilentlyContinue) { $json = ConvertTo-WireJson $Answer }
    else { $json = ConvertTo-Json -InputObject $Answer -Depth 12 -Compress }
    $escape = { param($m) '\u{0:x4}' -f [int][char]$m.Value }
    $writer.Write("`n$token " + [regex]::Replace($json, '[^\x20-\x7e]', $escape) + "`n")
}
while ($true) {
    $read = $reader.ReadLineAsync()
    if (-not $read.Wait(180000)) { exit 3 }
    $line = $read.Result
    if ($null -eq $line) { exit 0 }
    if ($token -eq '') {
        if ($line -cnotmatch '\A[0-9a-f]{32}\z') { exit 2 }
        $token = $line
        Write-Answer @{ id = 0; ok = $true; value = @{ psVersion = "$($PSVersionTable.PSVersion)"; languageMode = $mode; host = $PID; computer = "$env:COMPUTERNAME" } }
        continue
    }
    if ($line.Length -eq 0) { continue }
    $id = -1
    $name = ''
    try {
        $request = ConvertFrom-Json -InputObject $line
        $id = $request.id
        $has = @($request.PSObject.Properties | ForEach-Object { $_.Name })
        $load = $has -contains 'load'
        $name = if ($load) { $request.load } else { $request.run }
        if ($has -contains 'source') { $sources[$name] = [scriptblock]::Create($request.source) }
        if (-not $sources.ContainsKey($name)) { throw 'DrydockUnknownScript' }
        if ($load) { $null = . $sources[$name]; $out = @($true) }
        else {
            $named = @{}
            if ($has -contains 'args') { foreach ($p in $request.args.PSObject.Properties) { $named[$p.Name] = $p.Value } }
            $out = @(& $sources[$name] @named)
            if ($out.Count -ne 1) { throw 'DrydockNotOneValue' }
        }
        Write-Answer @{ id = $id; ok = $true; value = $out[0] }
    } catch {
        $text = "$($_.Exception.Message)"
        if ($text.Length -gt 2000) { $text = $text.Substring(0, 2000) }
        $why = @{ category = "$($_.CategoryInfo.Category)"; id = "$($_.FullyQualifiedErrorId)"; message = $text; script = "$name"; line = $_.InvocationInfo.ScriptLineNumber }
        Write-Answer @{ id = $id; ok = $false; error = $why }
    }
}
