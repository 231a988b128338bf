"""The lineage's Node client runs unchanged against the simulated signature service."""

from __future__ import annotations

import base64
import fcntl
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.sandbox.signature_service import order_pdf, running

CACHE = Path(__file__).parents[2] / "var" / "node-clients"
PACKAGE = "signrequest-client@1.1.1"

# Each call prints its name and status; the calls are those of core-signature.md 12.2.
SCRIPT = """
const S = require('signrequest-client');
const [base, token, content] = process.argv.slice(2);
const c = S.ApiClient.instance;
c.basePath = base;
c.authentications['Token'].apiKey = token;
c.authentications['Token'].apiKeyPrefix = 'Bearer';
const seen = {};
const call = (name, start) => new Promise((done, fail) => start((error, data, response) => {
  if (!response) return fail(error || new Error(name + ' got no answer'));
  seen[name] = response.status;
  done(response.body);
}));
const file = {name: 'a.pdf', file_from_content: content, file_from_content_name: 'a.pdf'};
const signers = [{email: 'buyer@example.com', order: 1}];
(async () => {
  const documents = new S.DocumentsApi(), requests = new S.SignrequestsApi();
  const d = await call('documentsCreate', f => documents.documentsCreate(file, f));
  await call('documentsRead', f => documents.documentsRead(d.uuid, f));
  const r = await call('signrequestsCreate', f => requests.signrequestsCreate({document: d.url, signers}, f));
  await call('resend', f => requests.signrequestsResendSignrequestEmail(r.uuid, f));
  await call('cancel', f => requests.signrequestsCancelSignrequest(r.uuid, f));
  await call('documentsDelete', f => documents.documentsDelete(d.uuid, f));
  const quick = new S.SignrequestQuickCreateApi();
  await call('quickCreate', f => quick.signrequestQuickCreateCreate({...file, signers}, f));
  await call('eventsList', f => new S.EventsApi().eventsList({}, f));
  const hook = {event_type: 'signed', callback_url: 'https://app.example/hook'};
  await call('webhooksCreate', f => new S.WebhooksApi().webhooksCreate(hook, f));
  await call('templatesList', f => new S.TemplatesApi().templatesList({}, f));
  console.log(JSON.stringify(seen));
})().catch(error => { console.error(error); process.exit(1); });
"""


@pytest.fixture(scope="module")
def modules() -> Path:
    """Return the folder that holds node_modules, filled once by npm."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("The Node client needs node and npm, and one of them is not installed.")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (CACHE / "node_modules" / "signrequest-client" / "package.json").exists():
            install = ["npm", "install", "--no-audit", "--no-fund", "--no-save", "--prefix", str(CACHE), PACKAGE]
            subprocess.run(install, check=True, capture_output=True, timeout=180)
    return CACHE


def test_every_call_of_the_client_is_answered(modules: Path, tmp_path: Path) -> None:
    with running() as service:
        service.signature.options.nested_key = "signrequest"
        script = modules / f"calls-{tmp_path.name}.js"
        script.write_text(SCRIPT)
        content = base64.b64encode(order_pdf()).decode()
        try:
            ran = subprocess.run(
                ["node", str(script), f"{service.server.url}/api/v1", service.log_in(), content],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        finally:
            script.unlink()
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "documentsCreate": 201,
        "documentsRead": 200,
        "signrequestsCreate": 201,
        "resend": 201,
        "cancel": 201,
        "documentsDelete": 204,
        "quickCreate": 201,
        "eventsList": 200,
        "webhooksCreate": 201,
        "templatesList": 200,
    }
