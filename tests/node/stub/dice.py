"""What the documentation leaves open is drawn here: by the cluster's seed, the name of the question and how often it was asked."""

import hashlib


class Dice:
    def __init__(self, state, switches):
        self.state = state
        self.switches = switches

    def below(self, question, limit):
        """A number below `limit`; the switch `drawn` may answer instead."""
        fixed = self.switches.drawn(question)
        if fixed is not None:
            return int(fixed) % max(limit, 1)
        asked = self.state["asked"]
        asked[question] = asked.get(question, 0) + 1
        text = f"{self.state['seed']}/{question}/{asked[question]}".encode()
        return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") % max(limit, 1)

    def one_in(self, question, n):
        fixed = self.switches.drawn(question)
        if fixed is not None:
            return bool(fixed)
        return self.below(question, n) == 0

    def about(self, question, usual):
        """Within a fifth of the usual, in milliseconds."""
        return max(1, usual * (80 + self.below(question, 41)) // 100)

    def token(self, question):
        """Letters and digits that never come twice."""
        asked = self.state["asked"]
        asked[question] = asked.get(question, 0) + 1
        return hashlib.sha256(f"{self.state['seed']}/{question}/{asked[question]}".encode()).hexdigest()

    def uuid(self, question):
        t = self.token(question)
        return f"{t[:8]}-{t[8:12]}-4{t[13:16]}-a{t[17:20]}-{t[20:32]}"
