<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** The server was silent for longer than `timeout`, or did not take the connection within `connect_timeout`. */
final class APITimeoutError extends APIConnectionError
{
}
