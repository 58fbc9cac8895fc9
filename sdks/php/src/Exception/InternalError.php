<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 500: a fault of the server; quote `request_id` to its operator. */
final class InternalError extends InternalServerError
{
}
