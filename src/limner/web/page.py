"""The page: a tab for each verb, and the history of what was made on it."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from limner.web import extras
from limner.web.forms import TABS
from limner.web.session import Session, Sessions
from limner.web.view import QUIET, View, recipe_text
from limner.web.watching import alarm

THEME = gr.themes.Default(
    primary_hue="teal",
    font=["system-ui", "sans-serif"],  # those of the machine: none is fetched
    font_mono=["ui-monospace", "monospace"],
).set(  # contrast enough for tired eyes: 4.5 to 1 and more
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_300",
    block_label_text_color="*neutral_700",
    block_label_text_color_dark="*neutral_200",
    block_title_text_color="*neutral_800",
    block_title_text_color_dark="*neutral_100",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700",
    button_cancel_background_fill="#b91c1c",
    button_cancel_background_fill_dark="#b91c1c",
    link_text_color="*primary_700",
    link_text_color_dark="*primary_300",
    input_placeholder_color="*neutral_600",
    input_placeholder_color_dark="*neutral_300",
)
CSS = """
.gradio-container { max-width: 1280px !important; margin: 0 auto !important; }
.limner-line { margin: .2rem 0; font-weight: 600; }
.limner-alarm { margin: .2rem 0; padding: .5rem .8rem; border-left: 4px solid #c0392b;
  background: color-mix(in srgb, #c0392b 12%, transparent); }
.limner-blank { min-height: 12rem; display: grid; place-items: center; border-radius: .5rem;
  border: 1px dashed var(--border-color-primary); color: var(--body-text-color-subdued); }
.limner-growing { width: 100%; max-height: 60vh; object-fit: contain; }
progress { width: 100%; height: .8rem; appearance: none; border: 0; border-radius: .4rem;
  overflow: hidden; background: var(--border-color-primary); }
progress::-webkit-progress-bar { background: var(--border-color-primary); }
progress::-webkit-progress-value { background: #0d9488; }
progress::-moz-progress-bar { background: #0d9488; }
#verbs [role=tab][aria-selected=true] { color: var(--link-text-color); }
.limner-walk > div { display: flex; justify-content: center; align-items: center;
  min-height: 12rem; }
.limner-walk input { width: 100%; accent-color: #0d9488; }
"""
_EXTRAS: dict[str, tuple[Callable[[View], None], ...]] = {
    "hybridize": (extras.points, extras.walk),
    "colorize": (extras.hints,),
    "beautify": (extras.map_,),
    "upscale": (extras.centimetres, extras.middle),
}


def page(sessions: Sessions) -> Any:
    """Make the page.

    Parameters
    ----------
    sessions : Sessions
        The open pages, and the bench on which their work is done.

    Returns
    -------
    gradio.Blocks
    """
    # copies that gradio makes of what it shows go after a day, looked for every hour
    with gr.Blocks(
        title="limner studio", analytics_enabled=False, delete_cache=(3600, 86_400)
    ) as blocks:
        gr.Markdown("# limner studio")
        with gr.Tabs(elem_id="verbs") as tabs:
            views = {tab.verb: View(tab, sessions) for tab in TABS}
            for verb, more in _EXTRAS.items():
                for extra in more:
                    extra(views[verb])
        history, look = _history(sessions)
        for view in views.values():
            view.connect(history, look)
            for target in view.sends:
                _send(view, views[target], tabs)
        blocks.load(sessions.warm, **QUIET)
        blocks.unload(_closer(sessions))
    return blocks


def _history(sessions: Sessions) -> tuple[Any, Callable[[Session], Any]]:
    """What was made while the page is open, with recipes."""
    with gr.Accordion("History of this page", open=False, elem_id="history"):
        gallery = gr.Gallery(
            label="Results",
            columns=6,
            height=220,
            interactive=False,
            buttons=[],
            allow_preview=False,
            elem_id="history-gallery",
        )
        with gr.Row():
            files = gr.File(
                label="Its files", file_count="multiple", interactive=False, elem_id="history-files"
            )
            recipe = gr.Textbox(
                label="Its recipe",
                lines=4,
                max_lines=16,
                interactive=False,
                buttons=["copy"],
                elem_id="history-recipe",
            )

    def look(session: Session) -> list[tuple[str, str]]:
        return [(str(one.pictures[0].shown), one.pictures[0].path.name) for one in session.history]

    def chosen(event: gr.SelectData, request: gr.Request) -> tuple[list[str], str]:
        result = sessions.of(request.session_hash).history[event.index]
        paths = [*(one.path for one in result.pictures), *result.beside]
        return [str(path) for path in paths], recipe_text(result)

    gallery.select(chosen, None, [files, recipe], **QUIET)
    return gallery, look


def _send(view: View, target: View, tabs: Any) -> None:
    """Let a button hand a result on to another verb."""

    def sent(request: gr.Request) -> tuple[Any, Any, Any]:
        session = sessions.of(request.session_hash)
        result = session.latest.get(view.tab.verb)
        if result is None:
            return gr.skip(), gr.skip(), gr.skip()
        chosen = session.chosen.get(view.tab.verb, 0)
        kept = result.pictures[min(chosen, len(result.pictures) - 1)]
        if kept.path.suffix == ".pdf":
            said = "a PDF is for the printer; make another kind of file to go on with"
            return gr.skip(), gr.skip(), alarm(said)
        session.slots[f"{target.tab.verb}.{target.subject}"] = kept
        return str(kept.shown), gr.Tabs(selected=target.tab.verb), gr.skip()

    sessions = view.sessions
    changed = [target.slots[target.subject], tabs, view.status]
    view.sends[target.tab.verb].click(sent, None, changed, **QUIET).then(
        target.show_words, target.given, [target.command, target.python], **QUIET
    )


def _closer(sessions: Sessions) -> Callable[..., None]:
    def closed(request: gr.Request) -> None:
        sessions.close(request.session_hash)

    return closed
