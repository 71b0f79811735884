"""The worker finds the tasks of detent.tts because this file names them; `article` is one of our own."""

from pydantic import BaseModel

from detent import task
from detent.tts import Speech, SpeechRequest, generate_audio, speak_chunk

__all__ = ["generate_audio", "read_article", "speak_chunk"]


class Article(BaseModel):
    title: str
    paragraphs: list[str]


@task(id="read-article")
async def read_article(article: Article) -> Speech:
    """Read an article aloud, its title first."""
    text = "\n\n".join([f"{article.title}.", *article.paragraphs])
    return await generate_audio.trigger_and_wait(SpeechRequest(text=text, speed=1.1)).unwrap()
