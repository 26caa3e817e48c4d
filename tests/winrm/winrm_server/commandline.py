"""Windows command lines: how a program's arguments are cut, and the few words of cmd.exe that clients use."""

from dataclasses import dataclass

# Microsoft KB 830473: cmd.exe takes 8,191 characters; CreateProcess takes 32,767.
CMD_LIMIT = 8191
PROCESS_LIMIT = 32767


@dataclass
class Builtin:
    """A command that cmd.exe answers by itself."""

    output: str
    exit_code: int
    error: bool = False


def split(line: str) -> list[str]:
    """Cuts a command line as the C runtime of a Windows program does: quotes group, backslashes matter only before a quote."""
    words, word, quoted, started, index = [], [], False, False, 0
    while index < len(line):
        character = line[index]
        if character == "\\":
            run = len(line) - len(line[index:].lstrip("\\")) - index
            index += run
            if index < len(line) and line[index] == '"':
                word.append("\\" * (run // 2))
                if run % 2:
                    word.append('"')
                    index += 1
            else:
                word.append("\\" * run)
            started = True
            continue
        if character == '"':
            quoted, started = not quoted, True
        elif character in " \t" and not quoted:
            if started:
                words.append("".join(word))
            word, started = [], False
        else:
            word.append(character)
            started = True
        index += 1
    if started:
        words.append("".join(word))
    return words


def through_cmd(line: str) -> list[str] | Builtin:
    """What cmd.exe makes of a line: a program with its arguments, or its own answer."""
    if len(line) > CMD_LIMIT:
        return Builtin("The command line is too long.\r\n", 1, error=True)
    words = split(line)
    name = words[0].lower() if words else ""
    if not words:
        return Builtin("", 0)
    if name in ("cmd", "cmd.exe") and len(words) > 1 and words[1].lower() == "/c":
        return through_cmd(" ".join(words[2:]))
    if name == "echo":
        return Builtin(line.split(None, 1)[1] + "\r\n" if len(words) > 1 else "ECHO is on.\r\n", 0)
    if name == "exit":
        return Builtin("", int(next((word for word in words[1:] if word.lstrip("-").isdigit()), "0")))
    return words


def unknown(name: str) -> Builtin:
    return Builtin(f"'{name}' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n", 1, error=True)
