"""The conformance kit: what every adapter is measured with, and told in plain words."""

from connector.sdk.kit.ladder import Level
from connector.sdk.kit.report import Report, Row, Verdict
from connector.sdk.kit.runner import RULES, check_adapter, check_rule
from connector.sdk.kit.subject import Subject, find_subject

__all__ = [
    "RULES",
    "Level",
    "Report",
    "Row",
    "Subject",
    "Verdict",
    "check_adapter",
    "check_rule",
    "find_subject",
]
