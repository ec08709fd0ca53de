"""What docker-compose.yml and the Dockerfile promise, read from the files themselves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import yaml

from outcomes_site import database
from outcomes_site.local import checks, postgres, postgres_server, supervisor

ROOT = checks.ROOT
COMPOSE = ROOT / "docker-compose.yml"


# An empty volume has a database and none of our roles.
AS_THE_IMAGE_STARTS = [
    f"DROP DATABASE {postgres.DATABASE}",
    f"DROP ROLE {database.OWNER}",
    f"DROP ROLE {database.APP}",
    f"CREATE DATABASE {postgres.DATABASE}",
]


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load(COMPOSE.read_text())


def test_the_five_services_are_there(compose):
    assert {"web", "worker", "beat", "postgres", "redis"} <= set(compose["services"])


def test_postgres_is_of_the_same_major_as_the_one_tested_with(compose):
    tag = compose["services"]["postgres"]["image"].split(":")[1]
    assert int(re.match(r"\d+", tag)[0]) == postgres_server.find_server().major


def _docker_command():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    return [[line] for line in lines if line.startswith("CMD")]


def test_the_commands_are_those_that_run_here(compose):
    services = compose["services"]
    local_web = supervisor.web_command(8000)[2:4]
    assert services["web"]["command"][:2] == local_web == ["gunicorn", "outcomes_site.wsgi"]
    for command in (services["web"]["command"], supervisor.web_command(8000), *_docker_command()):
        assert "python:outcomes_site.serving" in " ".join(command)
    local_worker = supervisor.worker_command(Path("timetable"))
    assert local_worker[2:6] == ["celery", "-A", "outcomes_site.celery", "worker"]
    for name in ("worker", "beat"):
        command = services[name]["command"]
        assert command[:3] == ["celery", "--app=outcomes_site.celery", name]
    assert services["migrate"]["command"][:3] == ["python", "manage.py", "migrate"]


def test_no_secret_is_in_the_files(compose):
    for service in compose["services"].values():
        for name, text in service.get("environment", {}).items():
            if any(word in name for word in ("PASSWORD", "KEY", "SECRET", "DATABASE")):
                assert name.endswith("_FILE"), name
                assert text.startswith("/run/secrets/"), name
    for path in (COMPOSE, ROOT / "Dockerfile"):
        assert not re.search(r"://[^/\s:@]+:[^/\s@]+@", path.read_text()), path
    assert "secrets" in (ROOT / ".dockerignore").read_text().split()


def test_every_secret_read_is_declared_and_given(compose):
    declared = set(compose["secrets"])
    for name, service in compose["services"].items():
        wanted = {
            text.removeprefix("/run/secrets/")
            for variable, text in service.get("environment", {}).items()
            if variable.endswith("_FILE")
        }
        assert wanted <= set(service.get("secrets", [])) <= declared, name


def test_only_the_migration_holds_the_owners_login(compose):
    holders = {
        name
        for name, service in compose["services"].items()
        if "database_owner_url" in service.get("secrets", [])
    }
    assert holders == {"migrate", "postgres"}


def test_docker_accepts_the_file(tmp_path):
    try:
        has_plugin = not subprocess.run(
            ["docker", "compose", "version"], capture_output=True, check=False
        ).returncode
    except OSError:
        has_plugin = False
    if not has_plugin:
        pytest.skip("docker compose isn't here")
    environment = {"PUBLIC_URL": "https://x.example", "ALLOWED_HOSTS": "x.example"}
    checked = subprocess.run(
        ["docker", "compose", "--file", COMPOSE, "config", "--quiet"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


@pytest.mark.processes
def test_the_images_roles_carry_migrations_and_keep_the_web_out_of_the_owners():
    tmp_path = Path(tempfile.mkdtemp(prefix="outcomes-test-", dir="/tmp"))
    tmp_path.chmod(0o711)
    cluster = postgres.EmbeddedPostgres(tmp_path, durable=False)
    running = cluster.start()
    try:
        for name, login in (("database_url", "web"), ("database_owner_url", "migrator")):
            url = f"postgresql://outcomes_{login}:sesame@postgres:5432/outcomes\n"
            (tmp_path / name).write_text(url)
        superuser = postgres.connection_url(running.socket, postgres.SUPERUSER, "postgres")
        with closing(psycopg2.connect(superuser)) as connection:
            connection.autocommit = True
            for statement in AS_THE_IMAGE_STARTS:
                connection.cursor().execute(statement)
        script = (ROOT / "docs/production/create-roles.sh").read_text()
        psql = postgres_server.find_server().folder / "bin"
        subprocess.run(
            ["bash", "-c", script.replace("/run/secrets", os.fspath(tmp_path))],
            env={
                "PATH": f"{psql}:{os.environ['PATH']}",
                "PGHOST": running.socket,
                "POSTGRES_USER": postgres.SUPERUSER,
                "POSTGRES_DB": postgres.DATABASE,
            },
            check=True,
            capture_output=True,
        )
        web = postgres.connection_url(running.socket, "outcomes_web")
        migrator = postgres.connection_url(running.socket, "outcomes_migrator")
        environment = os.environ | {"DATABASE_URL": web, "DATABASE_OWNER_URL": migrator}
        command = [sys.executable, "-m", "django", "migrate", "--verbosity=0", "--skip-checks"]
        subprocess.run(command, env=environment, cwd=ROOT, check=True)

        with closing(psycopg2.connect(web, options="-c role=outcomes_app")) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT count(*) > 0 FROM django_migrations")
            assert cursor.fetchone() == (True,)
            cursor.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
            assert cursor.fetchall() == [("outcomes_owner",)]
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute("SET ROLE outcomes_owner")
    finally:
        cluster.release()
        shutil.rmtree(tmp_path, ignore_errors=True)
