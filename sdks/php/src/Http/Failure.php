<?php

declare(strict_types=1);

namespace InnoAI\Http;

/** How a request got no answer. */
enum Failure
{
    /** No connection: the server has seen nothing of the request. */
    case Unsent;
    /** The connection broke; the server may have acted upon the request. */
    case Lost;
    /** Silence for too long; the server may have acted upon the request. */
    case TimedOut;
    /** It would fail in the same way again, as with a certificate that is not good. */
    case Hopeless;

    /** Whether sending the request again may help, and cannot do it twice. */
    public function allowsRepetition(bool $repeatable): bool
    {
        return match ($this) {
            self::Unsent => true,
            self::Lost, self::TimedOut => $repeatable,
            self::Hopeless => false,
        };
    }
}
