"""The Python client, generated from the document, makes the whole journey against a real server."""

import importlib
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import PASSWORD, created
from support.images import picture
from support.server import Server

from marketplace.config.settings import ROOT


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The generated package."""
    if importlib.util.find_spec("openapi_generator_cli") is None:
        pytest.skip("the generator is not installed: make clients")
    sys.path.insert(0, str(ROOT / "tools"))
    import clients

    folder = tmp_path_factory.mktemp("clients")
    assert clients.main(["python"], folder) == 0
    sys.path.insert(0, str(folder / "python"))
    yield importlib.import_module("marketplace_client")
    sys.path.remove(str(folder / "python"))
    sys.path.remove(str(ROOT / "tools"))


@pytest.fixture
def server(owner_url: str, template: str, tmp_path: Path) -> Iterator[Server]:
    """A server with its worker."""
    with created(owner_url, f"{template}_client", template) as url:
        server = Server(url, tmp_path)
        env = {
            **os.environ,
            "DATABASE_URL": url,
            "DATA_DIR": str(tmp_path / "data"),
            "UPLOADS_DIR": str(tmp_path / "u"),
        }
        for name in ("MIGRATE_DATABASE_URL", "WORKER_DATABASE_URL"):
            env.pop(name, None)
        with (tmp_path / "worker.log").open("wb") as log:
            command = [sys.executable, "-m", "marketplace", "worker"]
            worker = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
        yield server
        for process in (worker, server.process):
            process.terminate()
            process.wait(20)


@pytest.mark.filterwarnings("default")
def test_the_generated_client_makes_the_whole_journey(
    generated: Any, server: Server, tmp_path: Path
):
    configuration = generated.Configuration(host=f"http://127.0.0.1:{server.port}")
    client = generated.ApiClient(configuration)
    auth, stores, products = (
        getattr(generated, f"{name}Api")(client) for name in ("Auth", "Stores", "Products")
    )
    imports, users = generated.ImportsApi(client), generated.UsersApi(client)

    tokens = auth.register(
        generated.Registration(name="Sari", email="sari@example.com", password=PASSWORD)
    )
    configuration.access_token = tokens.access_token
    assert tokens.user.role == "buyer"
    store = stores.open_store(generated.NewStore(name="Toko Sari"))
    assert stores.get_store(store.id).name == "Toko Sari"

    new = generated.NewProduct(
        name="Kopi Gayo 250 g", price="85000.00", stock=12, brand="Gayo Asli"
    )
    product = products.create_product(new, idempotency_key="a-key-of-the-journey")
    assert products.create_product(new, idempotency_key="a-key-of-the-journey").id == product.id
    assert (product.price, product.stock, product.brand.name) == ("85000.00", 12, "Gayo Asli")
    images = products.add_product_images(product.id, images=[("depan", picture())]).images
    assert {variant.name for variant in images[0].variants} == {"thumb", "small", "large"}

    read = products.get_product_with_http_info(product.id)
    tag = {name.lower(): value for name, value in read.headers.items()}["etag"]
    cheaper = products.update_product(
        product.id, generated.ProductPatch(price="80000"), if_match=tag
    )
    assert cheaper.price == "80000.00"
    with pytest.raises(generated.ApiException) as refused:
        products.update_product(product.id, generated.ProductPatch(price="1"), if_match=tag)
    assert refused.value.status == 412
    assert refused.value.data.code == "precondition_failed"

    file = tmp_path / "produk.csv"
    file.write_text(
        "name,price,stock\n" + "".join(f"Teh {number},{number}000,3\n" for number in range(1, 31))
    )
    sent = imports.import_products(file=str(file))
    deadline = time.monotonic() + 60
    while (found := imports.get_import(sent.id)).state not in ("done", "failed"):
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    assert (found.state, found.rows_created) == ("done", 30)

    names, cursor = [], None
    while True:
        page = products.list_products(store_id=store.id, sort_by="name", per_page=7, cursor=cursor)
        names += [listed.name for listed in page.products]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(names) == len(set(names)) == 31
    assert products.list_products(search="gayo", in_stock=True).total_items == 1

    types = [activity.type for activity in users.list_activities(per_page=100).activities]
    assert types.count("create_product") == 1
    profile = users.get_profile()
    users.replace_profile(generated.ProfileChange.from_dict({**profile.to_dict(), "phone": "0812"}))
    assert users.get_profile().phone == "0812"
    fresh = auth.refresh_tokens(generated.RefreshRequest(refresh_token=tokens.refresh_token))
    configuration.access_token = fresh.access_token
    products.delete_product(product.id)
    auth.logout()
    with pytest.raises(generated.ApiException) as ended:
        users.get_profile()
    assert ended.value.status == 401
