<?php

declare(strict_types=1);

namespace InnoAI\Http;

/** The body of an answer, as it comes. */
interface Body
{
    /**
     * The next bytes, never an empty text; null at the end.
     *
     * @throws TransportFailure
     */
    public function next(): ?string;

    /** End it where nothing more of it counts; if its end comes at once, the connection is kept. */
    public function settle(): void;

    /** End it; the connection of what did not come yet is closed. Closing twice is no error. */
    public function close(): void;
}
