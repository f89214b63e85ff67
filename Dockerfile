ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /srv/cronledger
RUN python -m venv /opt/venv
COPY requirements-runtime.lock .
RUN /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-runtime.lock
COPY pyproject.toml .
COPY alembic alembic
COPY app app
# Compiled here, since nothing can be written where it runs. Unchecked: the files' times need not survive the copy.
RUN python -m compileall -q --invalidation-mode unchecked-hash app alembic

FROM ${BASE}
WORKDIR /srv/cronledger
COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv/cronledger .
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CRONLEDGER_HOST=0.0.0.0 \
    CRONLEDGER_PORT=8000
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client as h, os; c = h.HTTPConnection('127.0.0.1', int(os.environ['CRONLEDGER_PORT']), timeout=2); c.request('GET', '/readyz'); raise SystemExit(c.getresponse().status != 200)"]
# Migrates first, under a lock, so that replicas may start together. CRONLEDGER_DATABASE_URL says where.
ENTRYPOINT ["python", "-m", "app"]
CMD ["serve"]
