<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 409: it does not go with what exists. */
class ConflictError extends APIStatusError
{
}
