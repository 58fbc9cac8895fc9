<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 400: the request is not valid. */
class BadRequestError extends APIStatusError
{
}
