"""The page: one tab for each verb, and a history of the results."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from limner.web import extras
from limner.web.forms import TABS
from limner.web.session import Session, Sessions
from limner.web.status import error_html
from limner.web.view import UNQUEUED, View, recipe_text

THEME = gr.themes.Default(
    primary_hue="teal",
    font=["system-ui", "sans-serif"],  # fonts of the machine: none is downloaded
    font_mono=["ui-monospace", "monospace"],
).set(  # a contrast of at least 4.5 to 1 (WCAG 2.2, level AA)
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
.limner-error { margin: .2rem 0; padding: .5rem .8rem; border-left: 4px solid #c0392b;
  background: color-mix(in srgb, #c0392b 12%, transparent); }
.limner-empty { min-height: 12rem; display: grid; place-items: center; border-radius: .5rem;
  border: 1px dashed var(--border-color-primary); color: var(--body-text-color-subdued); }
.limner-code textarea, #history-recipe textarea { font-family: var(--font-mono); }
.limner-help p { font-size: var(--text-sm); color: var(--body-text-color-subdued); }
.limner-preview { width: 100%; max-height: 60vh; object-fit: contain; }
progress { width: 100%; height: .8rem; appearance: none; border: 0; border-radius: .4rem;
  overflow: hidden; background: var(--border-color-primary); }
progress::-webkit-progress-bar { background: var(--border-color-primary); }
progress::-webkit-progress-value { background: #0d9488; }
progress::-moz-progress-bar { background: #0d9488; }
/* or the row of tabs would make the page wider than a phone */
#verbs .tab-container { flex: 1 1 0; width: 0; }
#verbs [role=tab][aria-selected=true] { color: var(--link-text-color); }
.limner-distance > div { display: flex; justify-content: center; align-items: center;
  min-height: 12rem; }
.limner-distance input { width: 100%; accent-color: #0d9488; }
"""
_EXTRAS: dict[str, tuple[Callable[[View], None], ...]] = {
    "hybridize": (extras.alignment_points, extras.distance_slider),
    "colorize": (extras.painted_hints,),
    "beautify": (extras.predictability_map,),
    "upscale": (extras.paper_size, extras.detail_slider),
}


def build_page(sessions: Sessions) -> Any:
    """Build the page.

    Parameters
    ----------
    sessions : Sessions
        The open pages, and the queue that does their work.

    Returns
    -------
    gradio.Blocks
    """
    # gradio's copies of the pictures it shows are deleted after a day (it checks every hour)
    with gr.Blocks(
        title="limner studio", analytics_enabled=False, delete_cache=(3600, 86_400)
    ) as blocks:
        gr.Markdown("# limner studio")
        with gr.Tabs(elem_id="verbs") as tabs:
            views = {tab.verb: View(tab, sessions) for tab in TABS}
            for verb, parts in _EXTRAS.items():
                for add in parts:
                    add(views[verb])
        history, history_items = _history(sessions)
        for view in views.values():
            view.connect(history, history_items)
            for verb in view.send_buttons:
                _connect_send(view, views[verb], tabs)
        blocks.load(sessions.preload, **UNQUEUED)
        blocks.unload(_closer(sessions))
    return blocks


def _history(sessions: Sessions) -> tuple[Any, Callable[[Session], Any]]:
    """Add the results of this page, with their files and recipes."""
    with gr.Accordion("History: results and recipes", open=False, elem_id="history"):
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
                label="Files", file_count="multiple", interactive=False, elem_id="history-files"
            )
            recipe = gr.Textbox(
                label="Recipe",
                lines=4,
                max_lines=16,
                interactive=False,
                buttons=["copy"],
                elem_id="history-recipe",
            )

    def items(session: Session) -> list[tuple[str, str]]:
        first = [result.pictures[0] for result in session.history]
        return [(str(picture.thumbnail), picture.path.name) for picture in first]

    def selected(event: gr.SelectData, request: gr.Request) -> tuple[list[str], str]:
        result = sessions.get(request.session_hash).history[event.index]
        paths = [*(one.path for one in result.pictures), *result.side_files]
        return [str(path) for path in paths], recipe_text(result)

    gallery.select(selected, None, [files, recipe], **UNQUEUED)
    return gallery, items


def _connect_send(view: View, target: View, tabs: Any) -> None:
    """Let a button send a result to the form of another verb."""
    sessions = view.sessions

    def send(request: gr.Request) -> tuple[Any, Any, Any]:
        session = sessions.get(request.session_hash)
        result = session.latest.get(view.tab.verb)
        if result is None:
            return gr.skip(), gr.skip(), gr.skip()
        number = session.selected.get(view.tab.verb, 0)
        picture = result.pictures[min(number, len(result.pictures) - 1)]
        if picture.path.suffix == ".pdf":
            text = "PDF files are for printing; choose another file type to continue with"
            return gr.skip(), gr.skip(), error_html(text)
        session.slots[f"{target.tab.verb}.{target.main_slot}"] = picture
        return str(picture.thumbnail), gr.Tabs(selected=target.tab.verb), gr.skip()

    outputs = [target.slots[target.main_slot], tabs, view.status]
    view.send_buttons[target.tab.verb].click(send, None, outputs, **UNQUEUED).then(
        target.update_snippets, target.form, target.snippets, **UNQUEUED
    )


def _closer(sessions: Sessions) -> Callable[..., None]:
    def close(request: gr.Request) -> None:
        sessions.close(request.session_hash)

    return close
