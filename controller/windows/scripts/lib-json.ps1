# JSON as it goes over the wire and into files: ASCII, no depth limit that drops data in silence, and none of the surprises of
# ConvertTo-Json in 5.1 (wrapped arrays that turn into {"value":..,"Count":..}, dates as \/Date(ms)\/, enums as numbers).


# An error of our own: its id is what the other side tells apart, its message is for people.
function New-Fault([string]$Id, [string]$Message) {
    $category = switch -Wildcard ($Id) {
        'DrydockDamaged*' { 'InvalidData' }
        'DrydockNotThere' { 'ObjectNotFound' }
        'DrydockServiceStopped' { 'ResourceUnavailable' }
        'DrydockNo*' { 'InvalidArgument' }
        default { 'InvalidResult' }
    }
    New-Object System.Management.Automation.ErrorRecord((New-Object System.InvalidOperationException($Message)), $Id, $category, $null)
}

function ConvertTo-WireJson($Value) {
    $text = New-Object System.Text.StringBuilder
    Add-WireJson $text $Value 0
    $text.ToString()
}

function Add-WireJson([System.Text.StringBuilder]$Text, $Value, [int]$Depth) {
    # Deeper or longer than anything a script here answers: what runs away ends in an error.
    if ($Depth -gt 12) { throw (New-Fault DrydockJsonTooDeep 'an answer is nested too deep') }
    if ($Text.Length -gt 3145728) { throw (New-Fault DrydockJsonTooLong 'an answer is too long') }
    if ($null -eq $Value) { [void]$Text.Append('null'); return }
    if ($Value -is [string] -or $Value -is [char] -or $Value -is [Enum] -or $Value -is [guid] -or $Value -is [version]) { Add-WireText $Text "$Value"; return }
    if ($Value -is [bool]) { [void]$Text.Append($(if ($Value) { 'true' } else { 'false' })); return }
    if ($Value -is [datetime]) { Add-WireText $Text (Format-Instant $Value); return }
    if ($Value -is [ValueType] -and $Value -isnot [System.Collections.DictionaryEntry]) {
        $culture = [System.Globalization.CultureInfo]::InvariantCulture
        # NaN and the infinities are no JSON.
        if (($Value -is [double] -or $Value -is [single]) -and ([double]::IsNaN($Value) -or [double]::IsInfinity($Value))) { throw (New-Fault DrydockNotANumber 'a number is none') }
        if ($Value -is [double] -or $Value -is [single]) { [void]$Text.Append(([double]$Value).ToString('R', $culture)) }
        elseif ($Value -is [System.IConvertible]) { [void]$Text.Append(([decimal]$Value).ToString($culture)) }
        else { Add-WireText $Text "$Value" }
        return
    }
    if ($Value -is [System.Collections.IDictionary]) {
        [void]$Text.Append('{')
        $first = $true
        foreach ($key in @($Value.Keys)) {
            if (-not $first) { [void]$Text.Append(',') }
            $first = $false
            Add-WireText $Text "$key"
            [void]$Text.Append(':')
            Add-WireJson $Text $Value[$key] ($Depth + 1)
        }
        [void]$Text.Append('}')
        return
    }
    if ($Value -is [System.Collections.IEnumerable]) {
        [void]$Text.Append('[')
        $first = $true
        foreach ($item in $Value) {
            if (-not $first) { [void]$Text.Append(',') }
            $first = $false
            Add-WireJson $Text $item ($Depth + 1)
        }
        [void]$Text.Append(']')
        return
    }
    if ($Value -is [System.Management.Automation.PSCustomObject]) {
        $named = New-Object System.Collections.Specialized.OrderedDictionary
        foreach ($property in $Value.PSObject.Properties) { $named[$property.Name] = $property.Value }
        Add-WireJson $Text $named $Depth
        return
    }
    # Anything else would be an object of Windows that a script forgot to take apart.
    throw (New-Fault DrydockNotPlain "$($Value.GetType().FullName)")
}

function Add-WireText([System.Text.StringBuilder]$Text, [string]$Value) {
    [void]$Text.Append('"')
    if ($Value -cmatch '\A[ !#-\[\]-~]*\z') { [void]$Text.Append($Value) }
    else {
        foreach ($c in $Value.ToCharArray()) {
            $code = [int]$c
            if ($code -ge 0x20 -and $code -le 0x7e -and $code -ne 0x22 -and $code -ne 0x5c) { [void]$Text.Append($c) }
            else { [void]$Text.AppendFormat('\u{0:x4}', $code) }
        }
    }
    [void]$Text.Append('"')
}

# 2026-11-23T18:00:00.123Z
function Format-Instant([datetime]$Value) {
    $Value.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", [System.Globalization.CultureInfo]::InvariantCulture)
}

# A property that may be absent: older modules lack some, and strict mode makes an error of that.
function Get-PropertyOrNull($From, [string]$Name) {
    if ($null -eq $From) { return $null }
    $property = $From.PSObject.Properties[$Name]
    if ($null -eq $property) { return $null }
    , $property.Value
}
