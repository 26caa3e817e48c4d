"""Faults as Windows names them. Numbers are those of the Windows SDK's wsmerror.h; texts are what Windows says in English."""

from dataclasses import dataclass

ACCESS_DENIED = 5
FILE_NOT_FOUND = 2147942402  # HRESULT of ERROR_FILE_NOT_FOUND
NOT_ENOUGH_QUOTA = 2147944216  # HRESULT of ERROR_NOT_ENOUGH_QUOTA
OPERATION_ABORTED = 2147943395  # HRESULT of ERROR_OPERATION_ABORTED
INVALID_RESOURCE = 2150858752
INVALID_ACTION = 2150858753
ENVELOPE_TOO_LARGE = 2150858790
OPERATION_TIMED_OUT = 2150858793
SCHEMA_VALIDATION = 2150858817
UNEXPECTED_SELECTORS = 2150858843  # a shell, and also a command, that is not there
QUOTA_MAX_SHELLS = 2150859173
QUOTA_MAX_OPERATIONS = 2150859174
INVALID_INPUT_STREAM = 2150859147


@dataclass
class Fault(Exception):
    """A request that is answered with a SOAP fault instead of what it asked for."""

    code: int
    role: str  # Sender or Receiver
    subcode: str
    message: str


def shell_not_found(shell: str) -> Fault:
    return Fault(UNEXPECTED_SELECTORS, "Sender", "w:InvalidSelectors",
                 f"The request for the Windows Remote Shell with ShellId {shell} failed because the shell was not found on the server. "
                 "Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the server. "
                 "Provide the correct ShellId or create a new shell and retry the operation.")


def command_not_found() -> Fault:
    return Fault(UNEXPECTED_SELECTORS, "Sender", "w:InvalidSelectors",
                 "The Windows Remote Shell received a request to perform an operation on a command identifier that does not exist. "
                 "Either the command has completed execution or the client specified an invalid command identifier.")


def timed_out() -> Fault:
    return Fault(OPERATION_TIMED_OUT, "Receiver", "w:TimedOut",
                 "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.  ")


def aborted() -> Fault:
    return Fault(OPERATION_ABORTED, "Receiver", "w:InternalError",
                 "The I/O operation has been aborted because of either a thread exit or an application request. ")


def access_denied() -> Fault:
    return Fault(ACCESS_DENIED, "Sender", "w:AccessDenied", "Access is denied. ")


def too_many_shells(limit: int) -> Fault:
    return Fault(QUOTA_MAX_SHELLS, "Receiver", "w:QuotaLimit",
                 f"The WS-Management service cannot process the request. This user is allowed a maximum number of {limit} concurrent shells, "
                 "which has been exceeded. Close existing shells or raise the quota for this user. ")


def too_many_operations(limit: int) -> Fault:
    return Fault(QUOTA_MAX_OPERATIONS, "Receiver", "w:QuotaLimit",
                 f"The WS-Management service cannot process the request. This user is allowed a maximum number of {limit} concurrent operations, "
                 "which has been exceeded. Close existing operations for this user, or raise the quota for this user. ")


def too_many_processes() -> Fault:
    return Fault(NOT_ENOUGH_QUOTA, "Receiver", "w:InternalError", "Not enough quota is available to process this command. ")


def envelope_too_large(limit: int) -> Fault:
    return Fault(ENVELOPE_TOO_LARGE, "Sender", "w:EncodingLimit",
                 f"The WS-Management service cannot process the request because the request exceeds the maximum envelope size of {limit} bytes. ")


def program_not_found() -> Fault:
    return Fault(FILE_NOT_FOUND, "Receiver", "w:InternalError", "The system cannot find the file specified. ")


def unsupported_action(action: str) -> Fault:
    return Fault(INVALID_ACTION, "Sender", "wsa:ActionNotSupported",
                 f"The WS-Management service cannot process the request. The action {action} is not supported by the service. ")


def unknown_resource(uri: str) -> Fault:
    return Fault(INVALID_RESOURCE, "Sender", "wsa:DestinationUnreachable",
                 f"The WS-Management service cannot process the request. The resource URI ({uri}) was not found in the WS-Management catalog. ")


def malformed(what: str) -> Fault:
    return Fault(SCHEMA_VALIDATION, "Sender", "w:SchemaValidationError",
                 f"The SOAP XML in the message does not match the corresponding XML schema definition: {what}. Change the XML and retry. ")
