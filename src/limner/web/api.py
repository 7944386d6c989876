"""The studio's HTTP interface. Its description in the OpenAPI format is at `/api/openapi.json`.

The page uses nothing else. A script may use it too.
"""

import os
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.staticfiles import StaticFiles

from limner._version import __version__
from limner.errors import InputError, LimnerError
from limner.io import formats
from limner.web import description, regions_map
from limner.web.forms import BY_VERB, TABS
from limner.web.from_recipe import form_of
from limner.web.gallery import MAX_UPLOAD, Record, Stored
from limner.web.jobs import describe_unexpected
from limner.web.remedies import remedies
from limner.web.service import ENDINGS, Service
from limner.web.snippets import command_line, python_call
from limner.web.thumbnails import write_view

HERE = Path(__file__).parent
EXAMPLES = {"photo": "photo.jpg", "painting": "painting.jpg", "drawing": "drawing.png"}
PAINTINGS = ("painting", "oil", "knife", "watercolor", "woodcut")
_SHOWN_BY_BROWSERS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_SIDES = (256, 512, 1024, 1600, 4096)  # pixels, of the copies that are kept
_LONGEST = formats.WRITABLE[".webp"][1]  # pixels
_UNCHANGING = {"cache-control": "private, max-age=86400, immutable"}
_Id = Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}(-[0-9]{1,4})?$")]


class Form(BaseModel):
    """A form: the verb, the values of its fields, and the ids of its pictures, by option."""

    verb: str
    values: dict[str, str | int | float | bool | None] = {}
    files: dict[str, list[_Id]] = {}


class NewJob(Form):
    """A form to run, and the kind of file to make. Jobs of one group belong together."""

    ending: str = ".png"
    group: Annotated[str, Field(max_length=80)] | None = None


class Measured(BaseModel):
    """The picture to measure."""

    picture: _Id


def make_app(service: Service, styles: Sequence[Path]) -> FastAPI:
    """Return the studio as an ASGI application.

    Parameters
    ----------
    service : Service
        Does the work.
    styles : sequence of Path
        Pictures to choose from as paintings.
    """
    gallery = service.gallery
    app = FastAPI(
        title="limner studio",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,  # its page would load scripts from another server
        redoc_url=None,
    )
    own = [HERE / "examples" / f"{name}.jpg" for name in PAINTINGS]
    paintings = [*own, *styles]

    @app.exception_handler(LimnerError)
    def refused(request: Request, error: LimnerError) -> JSONResponse:
        return JSONResponse({"message": gallery.plain_text(str(error)), "remedies": []}, 422)

    @app.exception_handler(HTTPException)
    def failed(request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"message": str(error.detail), "remedies": []}, error.status_code)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        # not what was sent, which need not be text
        detail = [{"loc": one["loc"], "msg": one["msg"]} for one in error.errors()]
        return JSONResponse({"detail": detail}, 422)

    @app.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"message": describe_unexpected(error), "remedies": []}, 500)

    def record_of(key: str) -> Record:
        record = gallery.records.get(key)
        if record is None:
            raise HTTPException(404, "there is no such job")
        return record

    def stored_of(key: str) -> Stored:
        try:
            return gallery.stored(key)
        except InputError as error:
            raise HTTPException(404, str(error)) from error

    @app.get("/api/studio")
    def studio() -> dict[str, Any]:
        """Describe the forms and the gallery."""
        return {
            "version": __version__,
            "gallery": {
                "folder": str(gallery.folder),
                "bytes": gallery.bytes(),
                "limit": gallery.limit,
                "error": gallery.problem() or None,
            },
            "endings": list(ENDINGS),
            "papers": description.papers(),
            "verbs": [description.describe(tab) for tab in TABS],
        }

    @app.get("/api/styles")
    def list_styles() -> list[dict[str, str]]:
        """List the paintings to choose from."""
        recent: dict[str, Stored] = {}
        for record in sorted(gallery.records.values(), key=lambda one: one.id, reverse=True):
            for key in record.files.get("styles", ()):
                if len(recent) < 8 and "-" not in key and key not in recent:
                    try:
                        recent[key] = gallery.stored(key)
                    except LimnerError:
                        continue
        listed = [
            {"key": str(number), "name": path.name, "kind": kind}
            for number, (path, kind) in enumerate(
                [*((path, "example") for path in own), *((path, "folder") for path in styles)]
            )
        ]
        known = {path.name for path in paintings}
        return listed + [
            {"key": key, "name": one.path.name, "kind": "recent"}
            for key, one in recent.items()
            if one.path.name not in known
        ]

    def style_path(key: str) -> Path:
        if key.isdigit() and int(key) < len(paintings):
            return paintings[int(key)]
        return gallery.stored(key).path

    @app.get("/api/styles/{key}/view")
    def view_style(key: str) -> FileResponse:
        """Return a small copy of a painting, as WebP."""
        target = gallery.views / f"style-{key if key.isdigit() else 'r' + key[:32]}.webp"
        path = style_path(key)
        if not target.is_file() or target.stat().st_mtime < path.stat().st_mtime:
            write_view(path, target, 256)
        return FileResponse(target, media_type="image/webp")

    @app.post("/api/styles/{key}")
    def use_style(key: str) -> dict[str, Any]:
        """Make a painting usable as an input."""
        return _added(style_path(key))

    @app.post("/api/examples/{name}")
    def use_example(name: Literal["photo", "painting", "drawing"]) -> dict[str, Any]:
        """Make an example picture usable as an input."""
        return _added(HERE / "examples" / EXAMPLES[name])

    def _added(path: Path) -> dict[str, Any]:
        copy = gallery.part()
        try:
            shutil.copyfile(path, copy)
            return gallery.add(copy, path.name).as_json()
        finally:
            copy.unlink(missing_ok=True)

    @app.post("/api/files")
    async def upload(request: Request, name: str) -> dict[str, Any]:
        """Take a picture or a weights file: the body of the request."""
        part = gallery.part()
        length = 0
        try:
            with part.open("wb") as file:
                async for chunk in request.stream():
                    length += len(chunk)
                    if length > MAX_UPLOAD:
                        raise InputError(
                            f"{Path(name).name}: has more than the {MAX_UPLOAD >> 20} MB that this "
                            "page takes; use the command line"
                        )
                    file.write(chunk)
            stored = await run_in_threadpool(gallery.add, part, name)
            return stored.as_json()
        except ClientDisconnect:  # the page was closed meanwhile
            raise HTTPException(400, "the file did not arrive; drop it in again") from None
        except OSError as error:
            raise InputError(
                gallery.problem() or f"the file cannot be kept ({error.strerror})"
            ) from error
        finally:
            part.unlink(missing_ok=True)

    @app.get("/api/pictures/{key}")
    def picture(key: _Id) -> dict[str, Any]:
        """Describe a picture."""
        return stored_of(key).as_json()

    @app.get("/api/pictures/{key}/file")
    def download(key: _Id) -> FileResponse:
        """Return the file of a picture."""
        path = stored_of(key).path
        return FileResponse(path, filename=path.name)

    @app.get("/api/pictures/{key}/view")
    def view(key: _Id, side: Annotated[int, Query(ge=0)] = 1024) -> FileResponse:
        """Return a picture for a browser, with its longest side at most ``side``; 0: all of it."""
        stored = stored_of(key)
        if stored.path.suffix == ".pdf":
            raise InputError(f"{stored.path.name}: is a PDF; download it to see it")
        if not side or side >= max(stored.size):
            with formats.opened(stored.path) as (image, _):
                kind = _SHOWN_BY_BROWSERS.get(str(image.format))
                if kind and image.mode != "CMYK":
                    return FileResponse(stored.path, media_type=kind, headers=_UNCHANGING)
            side = _LONGEST
        side = next((one for one in _SIDES if one >= side), _LONGEST)
        target = gallery.views / f"{key}-{side}.webp"
        if not target.is_file():
            write_view(stored.path, target, side)
        return FileResponse(target, media_type="image/webp", headers=_UNCHANGING)

    @app.get("/api/pictures/{key}/recipe")
    def recipe(key: _Id) -> dict[str, Any]:
        """Return the form that made a picture, from the recipe in it."""
        return form_of(stored_of(key).path, gallery)

    @app.get("/api/pictures/{key}/regions")
    def regions(key: _Id) -> FileResponse:
        """Return the numbers of a drawing's regions, as a PNG: red + 256 green + 65536 blue."""
        target = gallery.views / f"{key}-regions.png"
        if not target.is_file():
            regions_map.write_regions(stored_of(key).path, target)
        return FileResponse(target, media_type="image/png")

    @app.post("/api/jobs")
    def submit(new: NewJob) -> Any:
        """Run a form: it joins the queue."""
        try:
            record = service.submit(new.verb, dict(new.values), new.files, new.ending, new.group)
        except LimnerError as error:
            found = remedies(str(error), new.verb)
            text = gallery.plain_text(str(error))
            return JSONResponse({"message": text, "remedies": found}, 422)
        return service.describe(record)

    @app.post("/api/measure")
    def measure(asked: Measured) -> dict[str, Any]:
        """Map where a picture is hard to predict."""
        return service.describe(service.measure(asked.picture))

    @app.get("/api/jobs")
    def list_jobs() -> list[dict[str, Any]]:
        """List waiting and running jobs in order, then those that ended since the studio began."""
        return [service.describe(record) for record in service.listed()]

    @app.get("/api/jobs/{key}")
    @app.get("/api/results/{key}")
    def job(key: _Id) -> dict[str, Any]:
        """Describe a job."""
        return service.describe(record_of(key))

    @app.get("/api/jobs/{key}/preview")
    def preview(key: _Id) -> Response:
        """Return the picture so far, as a JPEG."""
        running = service.jobs.get(record_of(key).id)
        if running is None or running.preview is None:
            raise HTTPException(404, "there is no preview yet")
        return Response(running.preview, media_type="image/jpeg")

    @app.post("/api/jobs/{key}/{action}")
    def change(key: _Id, action: Literal["stop", "first", "save"]) -> dict[str, Any]:
        """Stop a job, let it run next, or write its pictures again after a full disk."""
        record = record_of(key)
        running = service.jobs.get(record.id)
        if action == "save":
            service.save_again(record)
        elif running is not None and action == "stop":
            running.stop()
        elif running is not None:
            service.queue.put_first(running)
        return service.describe(record)

    @app.get("/api/results")
    def results(
        verb: str = "", search: str = "", limit: int = 60, offset: int = 0
    ) -> dict[str, Any]:
        """List finished pictures, newest first."""
        found = gallery.results(verb, search)
        shown = found[max(0, offset) :][: max(0, limit)]
        return {"total": len(found), "results": [service.describe(one) for one in shown]}

    @app.get("/api/results/{key}/files/{name}")
    def side_file(key: _Id, name: str) -> FileResponse:
        """Return a file that belongs to a result."""
        if name not in record_of(key).side_files:
            raise HTTPException(404, "there is no such file")
        return FileResponse(gallery.folder / name, filename=name)

    @app.delete("/api/results/{key}")
    def delete(key: _Id) -> dict[str, Any]:
        """Move a result to the trash, from which it can be restored for a week."""
        gallery.delete(record_of(key))
        return {}

    @app.post("/api/results/{key}/restore")
    def restore(key: _Id) -> dict[str, Any]:
        """Bring a result back from the trash."""
        record = record_of(key)
        gallery.restore(record)
        return service.describe(record)

    @app.get("/api/zip")
    def archive(ids: str) -> FileResponse:
        """Return the pictures of several results in one ZIP file; ids with commas between them."""
        records = [record_of(key) for key in dict.fromkeys(ids.split(","))]
        target = gallery.part()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as packed:
            for record in records:
                for one in gallery.pictures_of(record):
                    if one.path.is_file():
                        packed.write(one.path, one.path.name)
        remove = BackgroundTask(os.unlink, target)
        return FileResponse(target, filename="limner.zip", background=remove)

    @app.post("/api/command")
    def command(form: Form) -> dict[str, str]:
        """Write a form as a command and as Python."""
        if form.verb not in BY_VERB:
            raise HTTPException(404, "there is no such verb")
        call = service.call_with_names(form.verb, form.values, form.files)
        output = "new/" if form.verb == "generate" else f"{form.verb}.png"
        return {"command": command_line(call, output), "python": python_call(call, output)}

    app.mount("/", StaticFiles(directory=HERE / "static", html=True))
    return app
