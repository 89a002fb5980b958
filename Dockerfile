# The service in a container of its own:
#
#     docker build --tag choice-ledger .
#     docker run --read-only --volume ledger:/var/lib/choice-ledger --publish 127.0.0.1:8700:8700 choice-ledger
#
# Both stages stand on the same release of Python. Raise it when a new one mends something.
FROM python:3.13.9-slim-trixie AS build

WORKDIR /source

# Only files whose hashes are locked are installed, and nothing is compiled: there is no compiler here.
COPY requirements/run.txt requirements/build.txt requirements/
RUN python -m venv --without-pip /opt/choice-ledger \
    && python -m venv --without-pip /opt/build \
    && pip --python /opt/choice-ledger install --no-cache-dir --only-binary :all: --require-hashes -r requirements/run.txt \
    && pip --python /opt/build install --no-cache-dir --only-binary :all: --require-hashes -r requirements/build.txt

COPY pyproject.toml README.md LICENSE ./
COPY events events
COPY ledger ledger
COPY projections projections
COPY consumers consumers
COPY choice_ledger choice_ledger
COPY examples examples
RUN /opt/build/bin/python -m hatchling build -t wheel -d /dist \
    && pip --python /opt/choice-ledger install --no-cache-dir --no-index --no-deps /dist/*.whl

FROM python:3.13.9-slim-trixie

# Whoever breaks in finds no installer, and may write nowhere but in the ledger's home.
RUN pip uninstall --yes --root-user-action=ignore pip \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/choice-ledger

COPY --from=build /opt/choice-ledger /opt/choice-ledger

ENV PATH=/opt/choice-ledger/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CHOICE_LEDGER_HOME=/var/lib/choice-ledger \
    CHOICE_LEDGER_HOST=0.0.0.0

USER 10001:10001
WORKDIR /var/lib/choice-ledger
VOLUME /var/lib/choice-ledger
EXPOSE 8700

# Ready means: the log can be reached, the state is fresh, tokens can be looked up.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('CHOICE_LEDGER_PORT', '8700') + '/readyz', timeout=4)"]

STOPSIGNAL SIGTERM
ENTRYPOINT ["choice-ledger"]
CMD ["serve"]
