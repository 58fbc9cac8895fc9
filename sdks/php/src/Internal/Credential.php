<?php

declare(strict_types=1);

namespace InnoAI\Internal;

/**
 * What a call is authorized by.
 *
 * @internal
 */
enum Credential
{
    /** What the client sends on every request: its key, or its current token. */
    case OfClient;
    /** Always the API key. */
    case Key;
    /** No Authorization at all: the body is the proof. */
    case None;
}
