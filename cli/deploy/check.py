"""Checks of the files in this directory that no schema covers; run by `check`.

    check.py names [PROGRAM]  valid files that do not work: undefined names, unreachable pods, variables that nothing reads
    check.py compose          compose.yaml against the Compose specification
    check.py probe            prints the shell script in compose.yaml as a container receives it
"""

import json
import pathlib
import re
import subprocess
import sys

import yaml

COMPOSE = pathlib.Path("compose.yaml")
KUBERNETES = pathlib.Path("kubernetes.yaml")
# The processes, and the commands that print their help.
HELP = {"scheduler": ["cluster", "scheduler"], "executor": ["cluster", "executor"], "client": ["query"]}
CONTROLLERS = ("CronJob", "DaemonSet", "Deployment", "Job", "StatefulSet")

findings = []


def expect(holds, what):
    if not holds:
        findings.append(what)


def compose_file():
    """compose.yaml with variables replaced by their defaults."""
    return yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", COMPOSE.read_text()))


def check_compose():
    import compose_spec

    def check(file, where):
        try:
            compose_spec.PyCompose.from_json(json.dumps(file)).validate()
        except ValueError as error:
            findings.append(f"{where}: {error}")

    file = compose_file()
    services = file.pop("services", {})
    expect(services, "no services")
    # One at a time, because the message does not name the service.
    for name, service in services.items():
        check({**file, "services": {name: service}}, f"service {name}")


def check_addresses(role, environment, hosts, where):
    """Checks that a process has the scheduler's address. Executors report to its --external-host: without it, jobs never end."""
    if role == "client":
        address = environment.get("S3LOG_CLUSTER") or ""
        host = address.removeprefix("df://").removesuffix(":50050")
    else:
        host = environment.get("S3LOG_CLUSTER_EXTERNAL_HOST" if role == "scheduler" else "S3LOG_CLUSTER_SCHEDULER_HOST")
    expect(host in hosts, f"{where}: the scheduler is not at {host}")


def check_compose_names(variables):
    services = compose_file().get("services", {})
    for name, service in services.items():
        where = f"compose.yaml, {name}"
        expect(name in HELP, f"{where}: is no process of a cluster")
        environment = service.get("environment", {})
        check_addresses(name, environment, services, where)
        variables.setdefault(name, set()).update(environment)
        for other in service.get("depends_on", {}):
            expect(other in services, f"{where}: depends on {other}, which is no service")
        for port in service.get("ports", []):
            expect(str(port).startswith("127.0.0.1:"), f"{where}: the port {port} is open to other machines")
        build = service.get("build", {})
        root = pathlib.Path(build.get("context", "."))
        expect((root / "Cargo.lock").exists(), f"{where}: {root} is not the root of the repository")
        expect((root / build.get("dockerfile", "Dockerfile")).exists(), f"{where}: there is no {build.get('dockerfile')}")


def picks(selector, template):
    labels = template["metadata"]["labels"]
    has_all = selector.get("matchLabels", {}).items() <= labels.items()
    return has_all and all(labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", []))


def ports_of(templates):
    containers = [container for template in templates for container in template["spec"]["containers"]]
    ports = [port for container in containers for port in container.get("ports", [])]
    return {port["containerPort"] for port in ports} | {port.get("name") for port in ports}


def check_kubernetes_names(variables):
    text = KUBERNETES.read_text()
    objects = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(text) if each}
    templates = {}
    for (kind, name), each in objects.items():
        if kind in CONTROLLERS:
            spec = each["spec"]["jobTemplate"]["spec"] if kind == "CronJob" else each["spec"]
            templates[f"{kind} {name}"] = spec["template"]

    def picked(selector, where):
        found = [template for template in templates.values() if picks(selector, template)]
        expect(found, f"{where}: no pod has the labels {selector}")
        return found

    for (kind, name), each in objects.items():
        where, spec = f"kubernetes.yaml, {kind} {name}", each.get("spec", {})
        if kind != "Namespace":
            expect(("Namespace", each["metadata"].get("namespace")) in objects, f"{where}: its namespace is not in this file")
        if kind == "Service":
            ports = ports_of(picked({"matchLabels": spec["selector"]}, where))
            for port in spec["ports"]:
                expect(port["targetPort"] in ports, f"{where}: no container has the port {port['targetPort']}")
            prefix = name.upper().replace("-", "_")
            expect(not prefix.startswith("S3LOG"), f"{where}: pods would have {prefix}_PORT, which may be a flag's variable")
        if kind in ("DaemonSet", "Deployment", "StatefulSet"):
            expect(picks(spec["selector"], spec["template"]), f"{where}: does not select its own pods")
            for spread in spec["template"]["spec"].get("topologySpreadConstraints", []):
                expect(picks(spread["labelSelector"], spec["template"]), f"{where}: spreads other pods than its own")
        if kind == "PodDisruptionBudget":
            picked(spec["selector"], where)
        if kind == "NetworkPolicy":
            ports = ports_of(picked(spec["podSelector"], where))
            for rule in spec.get("ingress", []):
                expect(rule.get("from") and rule.get("ports"), f"{where}: lets everybody in, or to every port")
                for peer in rule.get("from", []):
                    expect(peer.keys() == {"podSelector"}, f"{where}: lets in others than pods of the namespace")
                    picked(peer.get("podSelector", {}), where)
                for port in rule.get("ports", []):
                    expect(port["port"] in ports, f"{where}: no container has the port {port['port']}")

    for owner, template in templates.items():
        where, spec = f"kubernetes.yaml, {owner}", template["spec"]
        role = template["metadata"]["labels"].get("app.kubernetes.io/component")
        expect(role in HELP, f"{where}: its component is no process of a cluster")
        expect(spec.get("enableServiceLinks") is False, f"{where}: enableServiceLinks is not off")
        expect(spec.get("automountServiceAccountToken") is False, f"{where}: has a token for the API of Kubernetes")
        account = spec.get("serviceAccountName")
        expect(not account or ("ServiceAccount", account) in objects, f"{where}: there is no ServiceAccount {account}")
        # Enforced by the namespace. If violated, only the controller's events would tell why there are no pods.
        security = spec.get("securityContext", {})
        expect(security.get("runAsNonRoot"), f"{where}: may run as root")
        expect(security.get("seccompProfile", {}).get("type") == "RuntimeDefault", f"{where}: has no seccomp profile")
        volumes = {volume["name"] for volume in spec.get("volumes", [])}
        for container in spec["containers"]:
            security = container.get("securityContext", {})
            expect(security.get("allowPrivilegeEscalation") is False, f"{where}: may gain privileges")
            expect(security.get("capabilities", {}).get("drop") == ["ALL"], f"{where}: keeps capabilities")
            expect(security.get("readOnlyRootFilesystem"), f"{where}: may write into its image")
            for mount in container.get("volumeMounts", []):
                expect(mount["name"] in volumes, f"{where}: there is no volume {mount['name']}")
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                port = container.get(probe, {}).get("httpGet", {}).get("port")
                expect(port is None or port in ports_of([template]), f"{where}: {probe} asks the port {port}, which it has not")
            set_here = {variable["name"]: variable.get("value") for variable in container.get("env", [])}
            check_addresses(role, set_here, {name for kind, name in objects if kind == "Service"}, where)
            environment = variables.setdefault(role, set())
            environment.update(set_here)
            for source in container.get("envFrom", []):
                if "secretRef" in source:
                    name = source["secretRef"]["name"]
                    expect(f"secret generic {name} " in text, f"{where}: nobody is told how to make the Secret {name}")
                else:
                    name = source["configMapRef"]["name"]
                    expect(("ConfigMap", name) in objects, f"{where}: there is no ConfigMap {name}")
                    environment.update(objects.get(("ConfigMap", name), {}).get("data", {}))


def check_variables(variables, program):
    for role, command in HELP.items():
        what = f"{program} {' '.join(command)} --help"
        said = subprocess.run([program, *command, "--help"], capture_output=True, text=True, check=False)
        if said.returncode != 0:
            findings.append(f"{what}: {said.stderr.strip()}")
            continue
        known = set(re.findall(r"\bS3LOG_\w+", said.stdout))
        for name in sorted(variables.get(role, ())):
            expect(name in known or not name.startswith("S3LOG_"), f"{role}: {what} knows no {name}")


def main(task, *rest):
    if task == "compose":
        check_compose()
    elif task == "probe":
        print(compose_file()["x-probe"].replace("$$", "$"))
        return 0
    else:
        variables = {}
        check_compose_names(variables)
        check_kubernetes_names(variables)
        if any(rest):
            check_variables(variables, rest[0])
    print(*findings, sep="\n")
    return bool(findings)


sys.exit(main(*sys.argv[1:]))
