# What the stub modules share: the way to the stub platform of their cluster (tests/node/stub), errors as Windows reports them, and objects.

Set-StrictMode -Version 2.0

$script:Link = $null
$script:Reader = $null

# One line each way, over a connection that this process keeps.
function Send-Line([string]$Line) {
    for ($try = 0; $try -lt 2; $try++) {
        try {
            if ($null -eq $script:Link) { Connect-Platform }
            $bytes = [System.Text.Encoding]::UTF8.GetBytes($Line.Replace('"@TOKEN@"', "`"$script:Token`"") + "`n")
            $stream = $script:Link.GetStream()
            $stream.Write($bytes, 0, $bytes.Length)
            $answer = $script:Reader.ReadLine()
            if ($null -ne $answer) { return $answer }
        } catch [System.IO.IOException], [System.Net.Sockets.SocketException], [System.ObjectDisposedException] {
            if ($try -gt 0) { throw }
        }
        $script:Link = $null
    }
    throw 'the stub platform does not answer'
}

function Connect-Platform {
    $file = "$env:DRYDOCK_CLUSTER/platform.json"
    $until = [DateTime]::UtcNow.AddSeconds(20)
    $asked = $false
    while ($true) {
        try {
            $there = [System.IO.File]::ReadAllText($file) | ConvertFrom-Json
            $link = New-Object System.Net.Sockets.TcpClient
            $link.NoDelay = $true
            $link.Connect('127.0.0.1', $there.port)
            $script:Link = $link
            $script:Token = $there.token
            $script:Reader = New-Object System.IO.StreamReader($link.GetStream(), [System.Text.Encoding]::UTF8)
            return
        } catch {
            if ([DateTime]::UtcNow -gt $until) { throw }
        }
        if (-not $asked) {
            # Nobody has needed it yet: the native helper starts it.
            & $env:DRYDOCK_PYTHON "$env:DRYDOCK_STUB/environment.py" '--start' $env:DRYDOCK_CLUSTER
            $asked = $true
        }
        [System.Threading.Thread]::Sleep(20)
    }
}

# Asks the platform. With -Cmdlet a refusal becomes that command's error, and nothing is answered; without, it is thrown.
function Invoke-Platform([string]$Call, [hashtable]$Arguments = @{}, $Cmdlet) {
    $request = @{ token = '@TOKEN@'; node = $env:DRYDOCK_NODE; call = $Call; args = $Arguments; local = [bool]$env:DRYDOCK_TASK; rights = "$env:DRYDOCK_RIGHTS" }
    if ($null -ne $Cmdlet) { $request.cmdlet = $Cmdlet.MyInvocation.MyCommand.Name }
    $answer = Send-Line (ConvertTo-Json -InputObject $request -Depth 8 -Compress) | ConvertFrom-Json
    if ($answer.ok) { return , $answer.value }
    $e = $answer.error
    if ($e.id -eq 'StubFailed') { throw "the stub platform failed in $Call`: $($e.message)" }
    Write-StubError $Cmdlet $e.id $e.category $e.message $e.hresult $null $e.kind
}

# An error as the command itself would write it: it ends the command where its caller's ErrorActionPreference says Stop.
function Write-StubError($Cmdlet, [string]$Id, [string]$Category, [string]$Message, [long]$HResult, $Target, [string]$Kind) {
    $code = [int]::MinValue + [int]($HResult -band 0x7fffffff)
    $denied = New-Object System.ComponentModel.Win32Exception(5, 'Access is denied')
    if ($Kind -eq 'Service') { $exception = New-Object System.InvalidOperationException($Message, $denied) }
    elseif ($Kind -eq 'Registry') { $exception = New-Object System.Security.SecurityException($Message) }
    elseif ($Kind -eq 'File') { $exception = New-Object System.UnauthorizedAccessException($Message) }
    elseif (($HResult -band 0xffff0000L) -eq 0x80070000L) {
        $inner = New-Object System.ComponentModel.Win32Exception([int]($HResult -band 0xffff), $Message)
        if ($HResult -eq 0x80070005L) { $inner = New-Object System.UnauthorizedAccessException($Message) }
        $exception = New-Object System.Runtime.InteropServices.ExternalException($Message, $inner)
        $exception.HResult = $code
    } elseif ($HResult -ne 0) { $exception = New-Object System.Runtime.InteropServices.COMException($Message, $code) }
    else { $exception = New-Object System.InvalidOperationException($Message) }
    $record = New-Object System.Management.Automation.ErrorRecord($exception, $Id, [System.Management.Automation.ErrorCategory]$Category, $Target)
    if ($null -eq $Cmdlet) { throw $record }
    $action = $Cmdlet.GetVariableValue('ErrorActionPreference')
    if ($Cmdlet.MyInvocation.BoundParameters.ContainsKey('ErrorAction')) { $action = $Cmdlet.MyInvocation.BoundParameters['ErrorAction'] }
    if ("$action" -eq 'Stop') { $Cmdlet.ThrowTerminatingError($record) }
    $Cmdlet.WriteError($record)
}

function New-StubObject([string]$Type, $Properties) {
    $object = [pscustomobject]$Properties
    $object.PSObject.TypeNames.Insert(0, $Type)
    $object
}

# A CIM instance: the properties as shown (words, where the module's types make them of numbers), and under CimInstanceProperties as they are in the class.
function New-StubCim([string]$Namespace, [string]$Class, $Properties, $Raw = @{}) {
    $object = [pscustomobject]$Properties
    $members = $object.PSObject.Members
    # Made when it is asked for: few ask.
    $members.Add([System.Management.Automation.PSNoteProperty]::new('StubRaw', $Raw))
    $members.Add([System.Management.Automation.PSScriptProperty]::new('CimInstanceProperties', $script:Held))
    $members.Add([System.Management.Automation.PSNoteProperty]::new('CimClass', [pscustomobject]@{ CimClassName = $Class }))
    $types = $object.PSObject.TypeNames
    $types.Insert(0, 'Microsoft.Management.Infrastructure.CimInstance')
    $types.Insert(0, "Microsoft.Management.Infrastructure.CimInstance#$Namespace/$Class")
    $object
}

$script:Held = { Get-StubHeld $this }
function Get-StubHeld($Object) {
    $raw = $Object.StubRaw
    $held = New-Object System.Collections.Specialized.OrderedDictionary([System.StringComparer]::OrdinalIgnoreCase)
    foreach ($property in $Object.PSObject.Properties) {
        if ($property.Name -in 'CimInstanceProperties', 'CimClass', 'StubRaw') { continue }
        $value = if ($raw.ContainsKey($property.Name)) { $raw[$property.Name] } else { $property.Value }
        $held[$property.Name] = [pscustomobject]@{ Name = $property.Name; Value = $value }
    }
    $held
}

function Test-StubLike([string]$Value, $Patterns) {
    if ($null -eq $Patterns) { return $true }
    foreach ($pattern in @($Patterns)) { if ($Value -like $pattern) { return $true } }
    $false
}

# What a stub does not do, it says: parameters that lead to other machines or into jobs.
function Assert-StubHere($Bound) {
    foreach ($name in 'CimSession', 'ComputerName', 'AsJob', 'ResourceUri', 'Credential') {
        if ($Bound.ContainsKey($name)) { throw "the stub does not do -$name" }
    }
}

function ConvertFrom-StubMs($Ms) {
    if ($null -eq $Ms) { return $null }
    [DateTimeOffset]::FromUnixTimeMilliseconds([long]$Ms).LocalDateTime
}

Export-ModuleMember -Function Invoke-Platform, New-StubObject, New-StubCim, Write-StubError, Test-StubLike, Assert-StubHere, ConvertFrom-StubMs
