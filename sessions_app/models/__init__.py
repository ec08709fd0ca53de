from sessions_app.models.absences import Absence
from sessions_app.models.care import (
    Assignment,
    CaseReview,
    Episode,
    Meeting,
    MeetingClinician,
    Session,
)
from sessions_app.models.clients import (
    Client,
    ClientIdentity,
    ClientKey,
    ExternalId,
    NameHash,
    Respondent,
)
from sessions_app.models.conferences import CaseConference, ConferenceCase
from sessions_app.models.infrastructure import (
    AuditEvent,
    AuditHorizon,
    AuditSeal,
    EntryLink,
    Job,
    Outbox,
    Submission,
    Tablet,
)
from sessions_app.models.organisation import (
    Clinician,
    Installation,
    Policy,
    Programme,
    RoleGrant,
    Site,
    Supervision,
    Team,
)
from sessions_app.models.referrals import Referral
from sessions_app.models.rights import (
    Consent,
    ConsentStatement,
    EmergencyAccess,
    Restriction,
    RetentionRule,
)
from sessions_app.models.safety import CrisisText, DutyTurn
from sessions_app.models.users import ApiKey, User

__all__ = [
    "Absence",
    "ApiKey",
    "Assignment",
    "AuditEvent",
    "AuditHorizon",
    "AuditSeal",
    "CaseConference",
    "CaseReview",
    "Client",
    "ClientIdentity",
    "ClientKey",
    "Clinician",
    "ConferenceCase",
    "Consent",
    "ConsentStatement",
    "CrisisText",
    "DutyTurn",
    "EmergencyAccess",
    "EntryLink",
    "Episode",
    "ExternalId",
    "Installation",
    "Job",
    "Meeting",
    "MeetingClinician",
    "NameHash",
    "Outbox",
    "Policy",
    "Programme",
    "Referral",
    "Respondent",
    "Restriction",
    "RetentionRule",
    "RoleGrant",
    "Session",
    "Site",
    "Submission",
    "Supervision",
    "Tablet",
    "Team",
    "User",
]
